"""Write tables and lists of the pages in MyST Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Write a table; with a caption it has a number too.

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "2"]], "Errors."))
    ```{table} Errors.
    | a | b |
    |---|---|
    | 1 | 2 |
    ```
    <BLANKLINE>

    Quotes of code in a caption would end a fence of quotes.

    >>> table(["a"], [["1"]], "What `make` says.").splitlines()[0]
    '~~~{table} What `make` says.'
    """
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    fence = "~~~" if "`" in caption else "```"
    return "\n".join(
        [f"{fence}{{table}} {caption}", *lines, f"{fence}\n"] if caption else [*lines, ""]
    )


def facts(found: Mapping[str, str]) -> str:
    """Write names and what they stand for as a table without titles."""
    return table(["", ""], [(f"**{name}**", cell(value)) for name, value in found.items()])


def cell(text: str) -> str:
    """Return a text as it may stand in a cell: on one line, bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def short(value: str) -> str:
    """Return a cell of a CSV file with its number shortened, a dash where it is empty.

    Examples
    --------
    >>> short("39.2136"), short("12"), short(""), short("a|b")
    ('39.2', '12', '–', 'a\\\\|b')
    """
    try:
        number = float(value)
    except ValueError:
        return cell(value) or "–"
    if number != number:
        return "–"
    return value if number == int(number) else f"{number:.3g}"


def bullets(texts: Iterable[str]) -> str:
    """Write a list, each text on a line of its own."""
    return "".join(f"- {' '.join(text.split())}\n" for text in texts)
