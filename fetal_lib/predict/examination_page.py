"""Examinations as a page that can be printed: sizes, ages, weights, centiles, ratios, pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fetal_lib.growth.examination import BY_HADLOCK, Examination, Quantity
from fetal_lib.growth.gestation import format_weeks_days

CAUTION = "Measured by a program for research and teaching. Not for clinical decisions."
HEADS = {
    "size": ("Size", "mm", "interval", "age by Hadlock 1984", "centile"),
    "age": ("Age together", "weeks + days", "interval", "", ""),
    "weight": ("Weight from", "g", "interval", "formula", "centile"),
    "ratio": ("Ratio", "", "interval", "", ""),
}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem; color: #111; }
.fl-exam { break-after: page; border-bottom: 1px solid #999; padding-bottom: 1rem; }
.fl-exam table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
.fl-exam th, .fl-exam td { text-align: left; padding: .15rem .6rem .15rem 0; border-top: 1px solid #ccc; }
.fl-exam td:nth-child(2) { font-weight: 600; }
.fl-exam figure { display: inline-block; width: 19rem; max-width: 100%; margin: .3rem .6rem .3rem 0; vertical-align: top; }
.fl-exam img { width: 100%; }
.fl-exam figcaption { font-size: 12.5px; }
.fl-caution { color: #7a2e00; }
@media print { body { font-size: 12px; margin: 0; } .fl-exam { border: 0; } .fl-exam figure { width: 30%; } }
"""  # noqa: E501


@dataclass(frozen=True)
class Picture:
    """A picture of a scan with what was measured: JPEG, and what it shows in words."""

    jpeg: bytes
    caption: str


def page(title: str, about: str) -> tuple[str, str]:
    """Return what stands before and after the examinations of a page: HTML."""
    start = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="fl-caution">{CAUTION}</p><p>{escape(about)}</p>\n'
    )
    return start, "</body></html>\n"


def examination_html(
    name: str, examination: Examination, pictures: Sequence[Picture], reasons: Sequence[str] = ()
) -> str:
    """Return one examination as HTML; reasons say why images gave no size."""
    known = math.isfinite(examination.ga_days)
    age = f"{_weeks(examination.ga_days)} weeks, known from elsewhere" if known else "not known"
    parts = [f"<h2>{escape(name)}</h2><p>Gestational age: {age}.</p>"]
    if examination.flags:
        parts.append(f"<p><b>{escape('; '.join(examination.flags))}</b></p>")
    parts += [_table(group, examination) for group in HEADS]
    if not known:
        parts.append("<p>Centiles need a gestational age that is known from elsewhere.</p>")
    if reasons:
        parts.append(f"<ul>{''.join(f'<li>{escape(reason)}</li>' for reason in reasons)}</ul>")
    parts += map(_figure, pictures)
    return f'<section class="fl-exam">{"".join(parts)}</section>\n'


def _table(group: str, examination: Examination) -> str:
    rows = [line for line in examination.quantities if line.group == group and not line.reason]
    if group == "age":
        rows = [line for line in rows if not _is_of_one_size(line)]
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{word}</th>' for word in HEADS[group])
    body = "".join(_row(line, examination) for line in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _is_of_one_size(line: Quantity) -> bool:
    return line.source == BY_HADLOCK


def _row(line: Quantity, examination: Examination) -> str:
    name = f"{line.name} ({line.source})" if line.group == "age" else line.name
    cells = [name, _value(line, line.value), _interval(line)]
    if line.group == "size":
        cells += [_found(examination, "age", line.name, BY_HADLOCK)]
        cells += [_found(examination, "centile", line.name)]
    elif line.group == "weight":
        is_standard = line.name == "AC, HC"
        cells += [line.source, _found(examination, "centile", "EFW") if is_standard else ""]
    else:
        cells += ["", ""]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _found(examination: Examination, group: str, name: str, source: str = "") -> str:
    try:
        line = examination.find(group, name, source)
    except KeyError:
        return ""
    return "" if line.reason else f"{_value(line, line.value)} {_interval(line, bracketed=True)}"


def _interval(line: Quantity, bracketed: bool = False) -> str:
    if not math.isfinite(line.high):
        return ""
    text = f"{_value(line, line.low)} to {_value(line, line.high)}"
    return f"({text})" if bracketed else text


def _value(line: Quantity, value: float) -> str:
    if line.group == "age":
        return _weeks(value)
    return f"{value:.{ {'weight': 0, 'ratio': 3}.get(line.group, 1) }f}"


def _weeks(ga_days: float) -> str:
    """Return completed weeks + days; weeks with a decimal outside what ages are written for.

    >>> _weeks(143.0), _weeks(20.0)
    ('20+3', '2.9')
    """
    try:
        return format_weeks_days(ga_days)
    except ValueError:
        return f"{ga_days / 7:.1f}"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.jpeg).decode()
    words = escape(picture.caption)
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )
