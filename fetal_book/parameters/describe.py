"""Say in words what a parameter may be: for error messages and for the parameter table."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from fetal_lib.errors import did_you_mean, short

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

TYPE_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
LIMIT_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def type_text(annotation: Any) -> str:
    """Return the type of a parameter in words.

    >>> type_text(int), type_text(float | None), type_text(typing.Literal["a", "b"])
    ('a whole number', 'a number or none', "one of 'a', 'b'")
    """
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(choice) for choice in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(member) for member in typing.get_args(annotation))
    if annotation is type(None):
        return "none"
    return TYPE_WORDS.get(annotation, str(annotation))


def range_text(field: FieldInfo) -> str:
    """Return the range of a parameter in words, empty when it has none."""
    parts: list[str] = []
    for limit in field.metadata:
        for name, words in LIMIT_WORDS.items():
            if getattr(limit, name, None) is not None:
                parts.append(f"{words} {getattr(limit, name)}")
        if getattr(limit, "multiple_of", None) is not None:
            parts.append(f"a multiple of {limit.multiple_of}")
        if getattr(limit, "min_length", None):
            parts.append("not empty")
    return ", ".join(parts)


def rule_text(field: FieldInfo) -> str:
    """Return type and range of a parameter in one phrase."""
    parts = [type_text(field.annotation), range_text(field)]
    return ", ".join(part for part in parts if part)


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a parameter, empty when it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def explain_unknown(cls: type[BaseModel], name: str) -> str:
    """Return the message for a parameter name that a chapter does not have."""
    guess = did_you_mean(name, cls.model_fields)
    return f"{name}: no such parameter{guess} known: {', '.join(cls.model_fields)}"


def shown(value: Any) -> str:
    """Return a received value with its kind, so that 3, '3' and 3.0 can be told apart."""
    kind = "text" if isinstance(value, str) else type(value).__name__
    text = repr(value)
    return f"{short(text)} ({kind})"


def explain_wrong(cls: type[BaseModel], item: Any) -> str:
    """Return the message for one item of a pydantic error: name, received, rule, fix."""
    if not item["loc"]:
        return str(item["msg"]).removeprefix("Value error, ")
    name, value = str(item["loc"][0]), item["input"]
    field = cls.model_fields[name]
    message = f"{name}: received {shown(value)}; it must be {rule_text(field)}"
    if item["type"] == "value_error":
        message = f"{name}: received {shown(value)}; {item['msg'].removeprefix('Value error, ')}"
    return f"{message}; {fix_text(name, field, value)}"


def fix_text(name: str, field: FieldInfo, value: Any) -> str:
    """Return what to write instead of a value that was refused."""
    if isinstance(value, str) and field.annotation in (int, float):
        number = as_number(value)
        if number is not None:
            return f"write the number without quotes (in YAML {value} is text: write {number})"
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"for example {name}={default} (the default)"


def as_number(text: str) -> str | None:
    """Return a text as YAML writes that number, None when it is no number.

    >>> as_number("1e-4"), as_number("7"), as_number("seven")
    ('1.0e-04', '7', None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    if "e" in text.lower():
        mantissa, _, exponent = f"{number:e}".partition("e")
        return f"{float(mantissa)}e{exponent}"
    return text.strip()
