"""Pictures that the plane recogniser learns from: scans by their plane, and what is no such scan.

The plane of a scan is the table that names it, and nothing else of that table is read. A subject
is on one side over all sets: `part_of` deals by the name alone, so that a set that grows deals
the subjects it had as before. Each scan is shown in several forms (cut, stretched, padded,
compressed, written on), so that the form of a set does not tell its plane.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetal_lib.data.groups import anomaly_case, hc18_examination, planes_patient
from fetal_lib.data.layouts.fetal_biometry import ONE_FETUS, TABLES
from fetal_lib.predict.plane import PLANES
from fetal_lib.readers.image import read_gray
from fetal_phantoms.marks import draw_marks

PARTS = ("train", "validation", "test")
WIDTH = 480
"""Pixels to which a scan is brought before it is changed."""
SAME = {f"Patient{a:0>5}": f"Patient{b:0>5}" for a, b in ONE_FETUS.items()}
MIN_SPREAD = 8.0
"""Of the grey values of what lies beside a head; below it there is nothing to see."""
Picture = np.ndarray


@dataclass(frozen=True)
class Scan:
    """One scan of a set.

    Attributes
    ----------
    path : Path
    plane : str
        One of `fetal_lib.predict.plane.PLANES`.
    subject : str
        Patient, examination or case; the same in all sets that name it alike.
    source : str
        The set, and for `fetal_biometry_fp` the machine.
    """

    path: Path
    plane: str
    subject: str
    source: str

    @property
    def part(self) -> str:
        """Return the part of the split: seven tenths train, one validates, two test."""
        return part_of(self.subject)


def part_of(subject: str) -> str:
    """Return the part that a subject belongs to, from its name alone.

    Examples
    --------
    >>> part_of("Patient00305"), part_of("Patient00631")
    ('validation', 'test')
    """
    tenth = zlib.crc32(subject.encode()) % 10
    return "test" if tenth < 2 else "validation" if tenth == 2 else "train"


def biometry_scans(folder: str | Path) -> list[Scan]:
    """List the scans of ``fetal_biometry_fp`` by the table that names them."""
    import pandas as pd

    found = []
    for plane, name in TABLES.items():
        table = pd.read_csv(Path(folder) / name, usecols=["image_name", "Algo"])
        for image, fit in table.fillna("").to_numpy():
            machine = "Aloka" if fit == "AlokaFit" else "GE Voluson"
            path, subject = Path(folder) / "images" / image, planes_patient(image)
            found.append(Scan(path, plane, SAME.get(subject, subject), f"biometry, {machine}"))
    return found


def head_scans(root: str | Path) -> list[Scan]:
    """List the heads of HC18 and of the two sets of brain anomalies, under one folder."""
    root = Path(root)
    hc18 = sorted((root / "hc18" / "training_set").glob("*HC.png"))
    found = [Scan(p, "head", f"HC18 {hc18_examination(p.name)}", "HC18") for p in hc18]
    for name, pattern in {
        "fetal_brain_anomalies_16": "*/*.jpg",
        "fetal_us_abnormalities": "*/images/*.jpg",
    }.items():
        paths = sorted((root / name).glob(pattern))
        found += [Scan(p, "head", anomaly_case(p.name), name) for p in paths]
    return found


def shown(image: Picture, rng: np.random.Generator) -> Picture:
    """Show a scan in another form: written on, turned, cut, stretched, padded, compressed.

    Returns
    -------
    ndarray, uint8 (h, w)
    """
    import cv2

    scale = WIDTH * rng.uniform(0.6, 1.3) / max(image.shape)
    stretch = np.exp(rng.normal(0, 0.12)) if rng.random() < 0.5 else 1.0
    height, width = (max(16, round(side * scale)) for side in image.shape)
    size = round(width * stretch), height
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.35:
        image = draw_marks(image, rng)
    if rng.random() < 0.3:
        image = np.rot90(image, int(rng.integers(1, 4)))
    if rng.random() < 0.5:
        image = cut(image, *rng.uniform(0.75, 1, 2), rng)
    elif rng.random() < 0.4:
        side = min(image.shape)
        image = cut(image, side / image.shape[0], side / image.shape[1], rng)
    if rng.random() < 0.3:
        grey = int(rng.integers(0, 80)) if rng.random() < 0.3 else 0
        edges = [(round(a * side), round(b * side)) for side in image.shape
                 for a, b in [rng.uniform(0, 0.3, 2)]]  # fmt: skip
        image = np.pad(image, edges, constant_values=grey)
    return spoilt(image, rng)


def spoilt(image: Picture, rng: np.random.Generator) -> Picture:
    """Add grain, blur, a haze, or the blocks of a JPEG, each at times."""
    import cv2

    image = np.ascontiguousarray(image)
    if rng.random() < 0.3:
        draw = rng.rayleigh if rng.random() < 0.5 else rng.standard_normal
        grain = draw(size=image.shape)
        share = rng.uniform(0.05, 0.3)
        image = np.clip(image * (1 - share + share * grain), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 3))
    if rng.random() < 0.15:
        low = rng.uniform(5, 90)
        image = (low + image * (1 - low / 255)).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 95))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_GRAYSCALE)
    return image


def cut(image: Picture, height: float, width: float, rng: np.random.Generator) -> Picture:
    """Cut a box of these shares of the sides at a random place."""
    h, w = max(8, round(height * image.shape[0])), max(8, round(width * image.shape[1]))
    top = int(rng.integers(0, max(1, image.shape[0] - h + 1)))
    left = int(rng.integers(0, max(1, image.shape[1] - w + 1)))
    return image[top : top + h, left : left + w]


def margin(image: Picture, rng: np.random.Generator) -> Picture:
    """Cut a corner of a scan, where the plane does not show."""
    h, w = (round(side * rng.uniform(0.15, 0.3)) for side in image.shape)
    part = image[:h] if rng.random() < 0.5 else image[-h:]
    return part[:, :w] if rng.random() < 0.5 else part[:, -w:]


def beside(path: Path) -> Iterator[Picture]:
    """Yield what HC18's frame shows beside the head: bands of a fifth of a side or more."""
    image, outline = read_gray(path), read_gray(path.with_name(f"{path.stem}_Annotation.png"))
    rows, columns = (np.flatnonzero(outline.any(axis)) for axis in (1, 0))
    bands = image[: rows[0]], image[rows[-1] :], image[:, : columns[0]], image[:, columns[-1] :]
    for band, side in zip(bands, (0, 0, 1, 1), strict=True):
        if band.shape[side] >= image.shape[side] / 5 and band.std() > MIN_SPREAD:
            yield band


def shuffled(image: Picture, rng: np.random.Generator) -> Picture:
    """Change the places of a scan's tiles: the texture stays, the anatomy goes."""
    rows, columns = rng.integers(2, 6, 2)
    h, w = image.shape[0] // rows, image.shape[1] // columns
    tiles = image[: h * rows, : w * columns].reshape(rows, h, columns, w).swapaxes(1, 2)
    flat = rng.permutation(tiles.reshape(-1, h, w))
    while (flat == tiles.reshape(-1, h, w)).all() and np.ptp(image):
        flat = rng.permutation(flat)
    turned = [np.rot90(tile, 2 * int(rng.integers(2))) for tile in flat]
    grid = np.stack(turned).reshape(rows, columns, h, w)
    return grid.swapaxes(1, 2).reshape(h * rows, w * columns)


def smooth(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> Picture:
    """Draw smooth noise, uint8, of a grain in pixels."""
    import cv2

    coarse = rng.random([max(2, round(side / grain)) for side in shape]).astype(np.float32)
    field = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(field * 255, 0, 255).astype(np.uint8)


def nothing(rng: np.random.Generator) -> Picture:
    """Draw an even field, a ramp, or noise of a random grain, at times within a sector."""
    import cv2

    h, w = rng.integers(96, 320, 2)
    kind = rng.integers(4)
    if kind == 0:
        return np.full((h, w), rng.integers(256) if rng.random() < 0.6 else 0, np.uint8)
    if kind == 1:
        down, across = rng.normal(size=2)
        slope = np.add.outer(down * np.linspace(0, 1, h), across * np.linspace(0, 1, w))
        return (255 * (slope - slope.min()) / max(np.ptp(slope), 1e-6)).astype(np.uint8)
    image = smooth((h, w), np.exp(rng.uniform(0, 4)), rng)
    if kind == 3:
        speckle = rng.rayleigh(0.6, (h, w)) * image
        sector = np.zeros((h, w), np.uint8)
        angles = np.deg2rad(np.linspace(*np.sort(rng.uniform(30, 150, 2)), 30))
        reach = rng.uniform(0.6, 1.3) * h
        points = [[w / 2 + reach * np.cos(a), reach * np.sin(a)] for a in angles]
        cv2.fillPoly(sector, [np.array([[w / 2, -h / 9], *points], np.int32)], 1)
        image = np.clip(speckle * sector, 0, 255).astype(np.uint8)
    return image


def screen(rng: np.random.Generator) -> Picture:
    """Draw a screen: boxes, lines of text, a curve."""
    import cv2

    h, w = rng.integers(150, 420, 2)
    paper = int(rng.choice([0, 20, 235, 255]))
    ink = 255 - paper
    image = np.full((h, w), paper, np.uint8)
    for _ in range(rng.integers(0, 7)):
        a, b = (tuple(int(v) for v in rng.integers(0, [w, h])) for _ in range(2))
        cv2.rectangle(image, a, b, int(rng.integers(256)), int(rng.choice([-1, 1, 2])))
    letters = [chr(c) for c in range(32, 127)]
    size, step = rng.uniform(0.3, 1.2), int(rng.integers(14, 40))
    for y in range(step, h, step):
        line = "".join(rng.choice(letters, int(rng.integers(0, 40))))
        at = (int(rng.integers(0, w // 3)), y)
        cv2.putText(image, line, at, int(rng.integers(0, 5)), size, ink, int(rng.integers(1, 3)))
    if rng.random() < 0.3:
        x = np.linspace(0, w, 80)
        y = h * (0.5 + 0.3 * np.sin(x / rng.uniform(5, 80)))
        cv2.polylines(image, [np.column_stack([x, y]).astype(np.int32)], False, ink, 2)
    return np.rot90(image, int(rng.integers(4)))


def photograph(rng: np.random.Generator) -> Picture:
    """Draw a grey photograph of things: shaded shapes over a shaded, grained ground."""
    import cv2

    h, w = (int(side) for side in rng.integers(150, 420, 2))
    image = smooth((h, w), np.exp(rng.uniform(2.5, 5)), rng)
    for _ in range(rng.integers(2, 25)):
        layer = np.zeros((h, w), np.uint8)
        middle = tuple(int(v) for v in rng.integers(0, [w, h]))
        axes = tuple(int(v) for v in rng.integers(4, max(h, w) // 2, 2))
        if rng.random() < 0.4:
            cv2.ellipse(layer, middle, axes, rng.uniform(0, 180), 0, 360, 1, -1)
        elif rng.random() < 0.5:
            points = np.array(middle) + rng.normal(0, axes[0], (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(layer, [points.astype(np.int32)], 1)
        else:
            end = tuple(int(v) for v in rng.integers(0, [w, h]))
            cv2.line(layer, middle, end, 1, int(rng.integers(1, 25)))
        shade = 0.5 * smooth((h, w), np.exp(rng.uniform(2, 5)), rng) + rng.uniform(0, 130)
        image = np.where(layer, shade, image).astype(np.uint8)
    return image


DRAWN: tuple[Callable[[np.random.Generator], Picture], ...] = (nothing, screen, photograph)


def slices(volume: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[Picture]:
    """Yield slices through the middle half of an MRI volume, along random axes, uint8."""
    top = max(float(np.percentile(volume, 99.8)), 1e-6)
    for _ in range(n):
        axis = int(rng.integers(3))
        at = int(volume.shape[axis] * rng.uniform(0.25, 0.75))
        plane = np.rot90(np.take(volume, at, axis), int(rng.integers(4)))
        yield np.clip(plane / top * 255, 0, 255).astype(np.uint8)


def read_scans(scans: Iterable[Scan]) -> Iterator[Picture]:
    """Read scans one after another, shrunk to twice `WIDTH` at most."""
    import cv2

    for scan in scans:
        image = read_gray(scan.path)
        scale = min(1, 2 * WIDTH / max(image.shape))
        size = [round(side * scale) for side in image.shape[::-1]]
        yield cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def label(plane: str) -> int:
    """Return the number of a plane."""
    return PLANES.index(plane)
