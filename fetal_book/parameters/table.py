"""A chapter's parameters as rows, for the command line and for the book."""

from __future__ import annotations

from typing import Any

from fetal_book.parameters.chapters import Chapter
from fetal_book.parameters.describe import rule_text, unit_of
from fetal_book.parameters.resolve import load_profiles


def parameter_rows(chapter: Chapter) -> list[dict[str, Any]]:
    """Return one row a parameter, in the order of the class.

    Returns
    -------
    list of dict
        `name`, `title`, `default`, `smoke`, `full` (None where the profile has the default),
        `unit`, `range`, `help`.

    Examples
    --------
    >>> from fetal_book.parameters.chapters import get_chapter
    >>> rows = {row["name"]: row for row in parameter_rows(get_chapter("04"))}
    >>> rows["image_size"]["unit"], rows["seed"]["default"]
    ('px', 0)
    """
    profiles = load_profiles(chapter)
    return [
        {
            "name": name,
            "title": field.title or name,
            "default": field.default,
            "smoke": profiles["smoke"].get(name),
            "full": profiles["full"].get(name),
            "unit": unit_of(field) or None,
            "range": rule_text(field),
            "help": field.description or "",
        }
        for name, field in chapter.parameters_class().model_fields.items()
    ]
