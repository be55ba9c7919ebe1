"""Hashes, handed on from the room below for whoever works with runs."""

from fetal_lib.files.fingerprint import (
    canonical_hash,
    environment,
    file_sha256,
    folder_sha256,
    module_file,
    module_hashes,
    notebook_sha256,
    used_modules,
    with_imports,
)

__all__ = [
    "canonical_hash",
    "environment",
    "file_sha256",
    "folder_sha256",
    "module_file",
    "module_hashes",
    "notebook_sha256",
    "used_modules",
    "with_imports",
]
