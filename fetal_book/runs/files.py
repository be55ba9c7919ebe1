"""Atomic files, handed on from the room below for whoever works with runs."""

from fetal_lib.files.atomic import (
    append_line,
    plain,
    read_json,
    six_digits,
    write_bytes,
    write_json,
    write_text,
)

__all__ = [
    "append_line",
    "plain",
    "read_json",
    "six_digits",
    "write_bytes",
    "write_json",
    "write_text",
]
