"""Put the numbers of runs into what is written on a source, sentence by sentence."""

from __future__ import annotations

import re
from typing import Any

from fetal_book.site.claims import NUMBER, Answer, answer_fields
from fetal_book.site.shown_runs import ShownRun, data_text, details_text, value_text

MISSING = "no run yet"
SENTENCE = re.compile(r"(?<=[.]) (?=[A-Z])")
Found = tuple[dict[str, Any], ShownRun]


def filled(text: str, runs: list[ShownRun]) -> str:
    """Put the numbers of the runs into a text, each with its interval and a way to its run.

    A sentence compares: its numbers are of the first run that has them all, where there is one. A
    sentence whose numbers are all missing is left out.
    """
    sentences = (sentence_text(one, runs) for one in SENTENCE.split(text.strip()))
    return " ".join(one for one in sentences if one)


def sentence_text(sentence: str, runs: list[ShownRun]) -> str:
    """Fill one sentence; what all its numbers share is said once, after it."""
    answers = [Answer.model_validate(answer_fields(place)) for place in NUMBER.findall(sentence)]
    whole = ([first(answer, [run]) for answer in answers] for run in runs)
    found = next((one for one in whole if all(one)), [first(answer, runs) for answer in answers])
    if answers and not any(found):
        return ""
    shared = shared_text(found)
    write = linked_number if shared else told_number
    written = iter([write(one) if one else f"({MISSING})" for one in found])
    return " ".join(filter(None, [NUMBER.sub(lambda _: next(written), sentence), shared]))


def first(answer: Answer, runs: list[ShownRun]) -> Found | None:
    """Return the row of the first run that answers, with the run."""
    rows = ((run.find(answer.model, answer.metric, answer.split or "test"), run) for run in runs)
    return next(((row, run) for row, run in rows if row is not None), None)


def shared_text(found: list[Found | None]) -> str:
    """Name data, count and run of several numbers that share them; empty where they do not."""
    if len(found) < 2 or not all(found):
        return ""
    kinds = {(data_text(row, run, mark=""), row["n"], run.link) for row, run in found}
    if len(kinds) > 1:
        return ""
    data, n, link = kinds.pop()
    counted = f", n {int(n):,}" if n is not None and n == n else ""
    return f"({'Both' if len(found) == 2 else 'All'} on {data}{counted}, {link}.)"


def told_number(found: Found) -> str:
    """Write a number with its interval, count, data and run."""
    row, run = found
    details = details_text(row, data_text(row, run, mark=""), run.link)
    return f"**{value_text(row)}**{details}"


def linked_number(found: Found) -> str:
    """Write a number that leads to its run, with its interval."""
    row, run = found
    return f"{{ref}}`{value_text(row)} <{run.label}>`{details_text(row | {'n': None})}"
