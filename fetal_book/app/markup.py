"""Pieces of the page as HTML. All text of a user or a model is escaped; pictures lie inside."""

from __future__ import annotations

import base64
import csv
import io
import threading
from collections.abc import Mapping, Sequence
from html import escape
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.app.shelf import Choice
from fetal_lib.predict.columns import COLUMNS

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

FIGURES = threading.Lock()
"""Held while a figure is made and drawn: pyplot is not made for several threads."""
SHOWN_ROWS = 50


def data_url(image: np.ndarray, kind: str = "jpg") -> str:
    """Return a picture, uint8 (H, W) or (H, W, 3) in BGR, as a data URL; PNG keeps every pixel."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, 88] if kind == "jpg" else []
    _, data = cv2.imencode(f".{kind}", image, options)
    return _url(f"image/{'jpeg' if kind == 'jpg' else kind}", data.tobytes())


def figure_url(figure: Figure, dpi: int = 110) -> str:
    """Return a figure as a data URL, and close it. It is drawn once; ``savefig`` would twice."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    plt.close(figure)
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(dpi)
    canvas.draw()
    return data_url(canvas_pixels(canvas), "png")


def canvas_pixels(canvas: FigureCanvasAgg) -> np.ndarray:
    """Return what was drawn on a canvas, uint8 (H, W, 3) in BGR."""
    import cv2

    return cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR)


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture(url: str, caption: str, name: str = "") -> str:
    """Return a picture with its caption."""
    mark = f' data-picture="{escape(name)}"' if name else ""
    text = escape(caption)
    return f'<figure{mark}><img src="{url}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def pictures(*parts: str) -> str:
    """Lay pictures beside each other, below each other on a phone."""
    return f'<div class="fl-pictures">{"".join(parts)}</div>'


def headline(label: str, value: str, note: str = "", kind: str = "answer") -> str:
    """Return what the result says first; kind is ``answer`` or ``unknown``."""
    below = f'<p class="fl-note">{escape(note)}</p>' if note else ""
    return (
        f'<div class="fl-headline fl-{kind}"><p class="fl-label">{escape(label)}</p>'
        f'<p class="fl-value">{escape(value)}</p>{below}</div>'
    )


def percent(share: float) -> str:
    """Write a probability in percent, never as certain or impossible.

    >>> percent(0.774), percent(0.9999), percent(0.002)
    ('77%', '>99%', '<1%')
    """
    return ">99%" if share > 0.99 else "<1%" if share < 0.01 else f"{share:.0%}"


def bars(shares: Sequence[tuple[str, float]], title: str, kind: str = "answer") -> str:
    """Return probabilities as bars."""
    rows = "".join(
        f'<div class="fl-bar"><span>{escape(name)}</span>'
        f'<span class="fl-track"><i style="width:{100 * share:.1f}%"></i></span>'
        f"<span>{escape(percent(share))}</span></div>"
        for name, share in shares
    )
    return f'<div class="fl-bars fl-{kind}"><p class="fl-label">{escape(title)}</p>{rows}</div>'


def facts(rows: Mapping[str, str]) -> str:
    """Return names and values as a small table; empty values are left out."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    return f'<table class="fl-facts">{body}</table>'


def refusal(text: str) -> str:
    """Return why nothing could be done, for the person who asked."""
    return f'<div class="fl-result fl-refusal" role="alert"><p>{escape(text)}</p></div>'


def question(text: str) -> str:
    """Return what is still needed."""
    return f'<div class="fl-result fl-question"><p>{escape(text)}</p></div>'


def source(choice: Choice) -> str:
    """Return which run and data a model came from, its card folded behind it."""
    kind = {"phantoms": "fl-phantom", "real data": "fl-real"}.get(choice.kind, "fl-user")
    words = {"phantoms": "phantoms: made-up images, says nothing about patients"}
    badge = words.get(choice.kind, f"{choice.data}: {choice.kind}")
    run = [f"profile {choice.profile}" if choice.profile else "", choice.started]
    run += [f"commit {choice.commit}" if choice.commit else ""]
    details = "".join(f", {escape(word)}" for word in run if word)
    card = f"<details><summary>Model card</summary><pre>{escape(choice.card)}</pre></details>"
    return (
        f'<div class="fl-source"><p>Model: <b>{escape(choice.run)}</b>{details}. Trained on '
        f'<span class="fl-badge {kind}">{escape(badge)}</span></p>'
        f"{card if choice.card else ''}</div>"
    )


def result(title: str, *parts: str, choice: Choice, start: float) -> str:
    """Return one result: its title, parts, the time since it was begun and the model's source."""
    seconds = perf_counter() - start
    time = f'<p class="fl-time" data-seconds="{seconds:.3f}">computed in {seconds:.2f} s</p>'
    return (
        f'<article class="fl-result"><h2>{escape(title)}</h2>{"".join(parts)}{time}'
        f"{source(choice)}</article>"
    )


def results(
    rows: Sequence[Mapping[str, str]],
    noun: str,
    command: str,
    file_name: str,
    choice: Choice,
    start: float,
) -> str:
    """Return the results of several scans, as a table with the columns of a command."""
    listed = table(rows, file_name, choice)
    meanings = {name.replace("_", " "): text for name, text in COLUMNS[command].items()}
    words = f"<details><summary>What the columns mean</summary>{facts(meanings)}</details>"
    return result(f"{len(rows)} {noun}", listed, words, choice=choice, start=start)


def table(rows: Sequence[Mapping[str, str]], file_name: str, choice: Choice) -> str:
    """Return rows as a table that scrolls, and a link that saves all of them as CSV.

    Columns without any value are not shown; reasons stand beside the status. The model, which
    the page names below the table, is a column of the CSV.
    """
    names = list(rows[0])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*names, "model"])
    writer.writeheader()
    writer.writerows({**row, "model": choice.label} for row in rows)
    shown = sorted(
        (name for name in names if any(row[name] for row in rows)),
        key=lambda name: name not in (names[0], "status", "reason"),
    )
    head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in shown)
    body = "".join(
        "<tr>" + "".join(_cell(name, row[name]) for name in shown) + "</tr>"
        for row in rows[:SHOWN_ROWS]
    )
    more = f"The first {SHOWN_ROWS} of {len(rows)}; all are in the CSV. "
    link = _url("text/csv;charset=utf-8", text.getvalue().encode())
    return (
        f'<p class="fl-text">{more if len(rows) > SHOWN_ROWS else ""}'
        f'<a class="fl-button" download="{escape(file_name)}" href="{link}">Save as CSV</a></p>'
        '<div class="fl-scroll" role="region" aria-label="All answers" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def print_and_save(page: str, file_name: str) -> str:
    """Return a button that prints the result, and a link that saves a whole page of it."""
    link = _url("text/html;charset=utf-8", page.encode())
    return (
        '<p class="fl-text fl-actions"><button type="button" class="fl-button" '
        'onclick="window.print()">Print</button> '
        f'<a class="fl-button" download="{escape(file_name)}" href="{link}">Save the report</a></p>'
    )


def _cell(name: str, text: str) -> str:
    return f"<td{' class=fl-long' if name == 'reason' and text else ''}>{escape(text)}</td>"
