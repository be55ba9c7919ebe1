"""What the best network looks at: Grad-CAM maps, and the checks without which they say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.grad_cam import grad_cams
from fetal_lib.explain.occlusion import map_similarity, share_on
from fetal_lib.metrics.calibration import softmax
from fetal_lib.models.anomaly_cnns import build_anomaly_cnn

if TYPE_CHECKING:
    import keras

N_EXPLAINED, N_CHECKED = 6, 40
MIN_GRID = 4
"""Smallest side of a feature map that is still a map."""
MIN_LESION = 12
"""Pixels; smaller lesions have no share to speak of."""
N_STEPS = 16


@dataclass(frozen=True)
class Explained:
    """Maps of a few test images with their checks."""

    rows: np.ndarray  # places in the test part
    # (S, S) each: Grad-CAM of the predicted class, in logits per unit of the features
    maps: list[np.ndarray]
    checks: pd.DataFrame  # one row an image
    summary: pd.DataFrame  # means over many images, for prose
    layer: str


def cam_layer(network: keras.Model) -> str:
    """Return the deepest convolution or module whose map has at least 4 x 4 places."""
    found = ""
    for layer in network.layers:
        if layer.name.startswith(("conv", "module")) and layer.name[-1].isdigit():
            shape = layer.output.shape
            found = layer.name if min(shape[1:3]) >= MIN_GRID or not found else found
    return found


def rows_to_explain(test: Cases, n: int = N_EXPLAINED) -> np.ndarray:
    """Return the first test image of each of ``n`` classes, the commonest with lesions first."""
    counts = np.bincount(test.labels, minlength=len(LABELS))
    order = np.argsort(-counts, kind="stable")
    if test.lesions is not None:
        size = test.lesions.sum((1, 2))
        first = [_first((test.labels == k) & (size >= MIN_LESION)) for k in order]
    else:
        first = [_first(test.labels == k) for k in order]
    return np.array([row for row in first if row is not None][:n], int)


def _first(chosen: np.ndarray) -> int | None:
    places = np.flatnonzero(chosen)
    return int(places[0]) if len(places) else None


def explain(scored: Scored, test: Cases, seed: int, n_checked: int = N_CHECKED) -> Explained:
    """Make Grad-CAM maps of a few test images and check them on more, spread evenly over those with
    lesions. The seed draws the random weights that the maps are compared with.
    """
    import keras

    spec = scored.model.spec
    network, layer = scored.model.network, cam_layer(scored.model.network)
    keras.utils.set_random_seed(seed + 1)
    random = build_anomaly_cnn(spec.network, **(spec.arguments | {"n_classes": len(LABELS)}))
    shown = rows_to_explain(test)
    more = _checked_rows(test, n_checked)
    rows = [*shown, *(row for row in more if row not in set(shown))]
    outputs = scored.test_probs[rows].argmax(1)
    images = test.images[rows]
    maps, others = (_cams(one, layer, images, outputs) for one in (network, random))
    areas = _faithfulness(scored, images, maps, outputs, seed)
    checks = []
    for i, row in enumerate(rows):
        lesion = None if test.lesions is None else test.lesions[row]
        checks.append(
            {"test image": test.table["image"].iloc[row], "true": LABELS[test.labels[row]]}
            | {"predicted": LABELS[outputs[i]]}
            | _overlap(maps[i], lesion)
            | {"rank correlation with random weights": map_similarity(maps[i], others[i])}
            | areas[i]
        )
    table = pd.DataFrame(checks)
    return Explained(
        shown, list(maps[: len(shown)]), table.iloc[: len(shown)], _summary(table), layer
    )


def _checked_rows(test: Cases, n: int) -> list[int]:
    rows = np.arange(len(test))
    if test.lesions is not None:
        rows = np.flatnonzero(test.lesions.sum((1, 2)) >= MIN_LESION)
    return rows[evenly_spaced(n, len(rows))].tolist()


def _cams(network: keras.Model, layer: str, images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    return grad_cams(network, layer, images[..., None] / np.float32(255), outputs)


def _overlap(saliency: np.ndarray, lesion: np.ndarray | None) -> dict[str, float]:
    """Return the share of the map on the lesion, that of the image, and if the peak is on it."""
    if lesion is None or lesion.sum() < MIN_LESION:
        return {}
    import cv2

    near = cv2.dilate(lesion.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    share, area = share_on(saliency, near), float(near.mean())
    peak = bool(near.ravel()[saliency.argmax()]) if np.ptp(saliency) > 0 else False
    return {
        "share of map on lesion": share,
        "share of image": area,
        "times chance": share / area,
        "peak on lesion": float(peak),
    }


def _faithfulness(
    scored: Scored, images: np.ndarray, maps: np.ndarray, outputs: np.ndarray, seed: int
) -> list[dict[str, float]]:
    """Return areas under the deletion and insertion curves, of each map and of a random order.

    Tiles are blurred (deletion) or uncovered from a blurred image (insertion), the
    most salient first; the value is the probability of the predicted class. A map that
    knows has a small area of deletion and a large one of insertion.
    """
    stacks = []
    for image, saliency in zip(images, maps, strict=True):
        tiles = _tiles(saliency)
        chance = np.random.default_rng(seed).permutation(len(tiles))
        for order in (np.argsort(-tiles, kind="stable"), chance):
            stacks += [_changed(image, order, insert) for insert in (False, True)]
    logits, _ = scored.model.logits_and_features(np.concatenate(stacks), mirrors=False)
    probs = softmax(logits, scored.model.spec.temperature)
    probs = probs.reshape(len(images), 4, N_STEPS + 1, -1).mean(2)  # (N, curves, classes)
    names = ("deletion", "insertion", "deletion, random", "insertion, random")
    return [dict(zip(names, probs[i, :, k].tolist(), strict=True)) for i, k in enumerate(outputs)]


def _tile_size(side: int) -> int:
    return max(1, side // 8)


def _tiles(saliency: np.ndarray) -> np.ndarray:
    """Return the mean of a map over each of 8 x 8 tiles, flattened."""
    size = _tile_size(len(saliency))
    n = len(saliency) // size
    cut = saliency[: n * size, : n * size]
    return cut.reshape(n, size, n, size).mean((1, 3)).ravel()


def _changed(image: np.ndarray, order: np.ndarray, insert: bool) -> np.ndarray:
    """Return the image with more and more tiles blurred, or uncovered; (steps, S, S), uint8."""
    import cv2

    side = len(image)
    size = _tile_size(side)
    n = side // size
    blurred = cv2.GaussianBlur(image, (0, 0), side / 8)
    start, end = (blurred, image) if insert else (image, blurred)
    frames = []
    for step in range(N_STEPS + 1):
        mask = np.zeros(n * n, np.uint8)
        mask[order[: round(step / N_STEPS * len(order))]] = 1
        whole = np.zeros((side, side), np.uint8)
        whole[: n * size, : n * size] = np.kron(mask.reshape(n, n), np.ones((size, size), np.uint8))
        frames.append(np.where(whole, end, start))
    return np.stack(frames)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean and number of each check; what no image has is left out."""
    numbers = table.select_dtypes("number")
    rows = [
        {"check": name, "mean": values.mean(), "n": int(values.notna().sum())}
        for name, values in numbers.items()
        if values.notna().any()
    ]
    return pd.DataFrame(rows)


def explained_words(summary: pd.DataFrame) -> str:
    """Say in figures what the checks found; without lesions, what is left of them."""
    found = summary.set_index("check")["mean"]
    words = []
    if "times chance" in found:
        share, area = found["share of map on lesion"], found["share of image"]
        words.append(
            f"On average **{share:.0%}** of a map lies on the anomaly, which with its rim takes "
            f"{area:.0%} of the image; {found['peak on lesion']:.0%} of the maps have their peak "
            "there."
        )
    if "rank correlation with random weights" in found:
        alike = found["rank correlation with random weights"]
        words.append(f"The rank correlation with the maps of random weights is **{alike:.2f}**.")
    words.append(
        f"The mean probability of the answer is **{found['deletion']:.2f}** while what a map marks "
        f"is hidden first, {found['deletion, random']:.2f} in a random order; "
        f"**{found['insertion']:.2f}** while it is uncovered first, "
        f"{found['insertion, random']:.2f} in a random order."
    )
    return " ".join(words)
