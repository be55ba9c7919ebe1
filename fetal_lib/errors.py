"""The one base class of errors whose text is meant for the person who called, and its hints."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the caller gave cannot be used; the text says what, which rule, and the fix.

    Commands, the app and the runs print the text of such an error; any other is a fault of ours.
    """


def short(text: str, width: int = 60) -> str:
    """Return a text of at most so many letters, cut between two words and marked where it is.

    >>> short("one long remark", 12), short("one long remark", 15), short("x" * 9, 4)
    ('one long …', 'one long remark', 'xxxx…')
    """
    if len(text) <= width:
        return text
    cut = text[: width + 1]
    end = max(cut.rfind(" "), cut.rfind("\n"))
    return f"{cut[:end].rstrip()} …" if end > 0 else f"{text[:width]}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known name, ";" where none is near.

    >>> did_you_mean("epoch", ["epochs", "seed"]), did_you_mean("epoch", ["seed"])
    ("; did you mean 'epochs'?", ';')
    """
    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ";"
