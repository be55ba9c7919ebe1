"""The made-up scans that the page offers for a first try."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

THUMB_WIDTH = 200


@dataclass(frozen=True)
class Sample:
    """A made-up scan.

    Attributes
    ----------
    key : name of its files.
    title : what its button says.
    alt : what it shows, for those who do not see it.
    image : uint8 (H, W).
    pixel_size_mm : side of a pixel.
    ga_days : true age, 0 where it is not told.
    circumference_mm : the true one, 0 where it is not told.
    """

    key: str
    title: str
    alt: str
    image: np.ndarray
    pixel_size_mm: float
    ga_days: int = 0
    circumference_mm: float = 0.0


def draw_samples() -> list[Sample]:
    """Draw three heads, an abdomen of the age of one of them, and a scan with too little of a head.

    The head and the abdomen of one age give a weight.
    """
    from fetal_phantoms.abdomen import make_abdomen
    from fetal_phantoms.head import make_head

    plans = (("head", 9, 16), ("head", 8, 23), ("head", 11, 33), ("abdomen", 8, 23))
    make = {"head": make_head, "abdomen": make_abdomen}
    found = []
    for plane, seed, weeks in plans:
        days = 7 * weeks + 3
        drawn = make[plane](seed, ga_days=days)
        alt = f"Made-up ultrasound scan of a fetal {plane} at {weeks} weeks"
        known = (drawn.pixel_size_mm, days, drawn.circumference_mm)
        key, title = f"{plane}_{weeks}", f"{plane}, {weeks} weeks"
        found.append(Sample(key, title, alt, drawn.image, *known))
    return [*found, cut_sample()]


def cut_sample() -> Sample:
    """Cut a scan near the middle of its head, which the page must decline."""
    from fetal_phantoms.head import make_head

    head = make_head(3, ga_days=190)
    edge = round(head.ellipse.center_x + 0.3 * head.ellipse.half_extents[0])
    alt = "Made-up ultrasound scan that shows a part of a fetal head"
    return Sample("head_cut", "head, cut off", alt, head.image[:, :edge].copy(), head.pixel_size_mm)


def write_sample(sample: Sample, folder: Path) -> None:
    """Write a scan as a script, and a small picture of it for its button."""
    import cv2

    whole = _encode(".png", sample.image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    text = base64.b64encode(whole).decode("ascii")
    script = f'globalThis.TRY_IT_PARTS.{sample.key} = "{text}";\n'
    (folder / f"{sample.key}.js").write_text(script, encoding="utf-8")
    height, width = THUMB_WIDTH * 540 // 800, THUMB_WIDTH
    scale = min(height / sample.image.shape[0], width / sample.image.shape[1])
    size = [max(1, round(side * scale)) for side in sample.image.shape[::-1]]
    small = np.zeros((height, width), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    fitted = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    small[top : top + size[1], left : left + size[0]] = fitted
    (folder / f"{sample.key}.jpg").write_bytes(
        _encode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    )


def sample_button(sample: Sample) -> str:
    """Return the button that takes a sample, in HTML."""
    weeks, days = divmod(sample.ga_days, 7)
    truth = f' data-weeks="{weeks}" data-days="{days}"' if sample.ga_days else ""
    truth += f' data-truth-mm="{sample.circumference_mm:.1f}"' if sample.circumference_mm else ""
    return (
        f'<button type="button" data-sample="{sample.key}" data-name="{escape(sample.alt)}" '
        f'data-pixel-size-mm="{sample.pixel_size_mm:.6g}"{truth}>'
        f'<img src="_static/try_it/{sample.key}.jpg" alt="{escape(sample.alt)}" '
        f'width="{THUMB_WIDTH}" height="{THUMB_WIDTH * 540 // 800}">'
        f"<span>{escape(sample.title)}</span></button>"
    )


def _encode(kind: str, image: np.ndarray, options: list[int]) -> bytes:
    import cv2

    done, data = cv2.imencode(kind, image, options)
    if not done:
        raise OSError(f"an array {image.shape} could not be encoded as {kind}")
    return data.tobytes()
