"""Images that are no fetal brain, and what keeps the network from naming them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import Cases
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_lib.data.images import squash
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.roc import auc
from fetal_lib.predict.anomaly_model import AnomalyModelSpec
from fetal_lib.predict.brain_view import load_head_finder, views_of
from fetal_lib.readers.image import read_gray
from fetal_phantoms.abdomen import make_abdomen

N_STRANGE = 24


def strange_scans(test: Cases, seed: int) -> dict[str, list[tuple[np.ndarray, float]]]:
    """Return scans and pixel sizes in mm, by kind: abdomens of phantoms, and test scans inverted or
    cut into shuffled tiles, and noise.
    """
    rng = np.random.default_rng([seed, 77])
    rows = rng.permutation(len(test))[:N_STRANGE]
    some = [read_gray(test.table["image_path"].iloc[row]) for row in rows]
    known = test.table.get("pixel_size_mm")
    sizes = [float("nan")] * len(rows) if known is None else list(known.iloc[rows])
    bellies = [make_abdomen(50_000 + seed + i) for i in range(len(rows))]
    kinds = {
        "inverted": [255 - scan for scan in some],
        "tiles shuffled": [_shuffled(scan, rng) for scan in some],
        "noise": [rng.integers(0, 256, scan.shape, dtype=np.uint8) for scan in some],
    }
    pairs = {kind: list(zip(scans, sizes, strict=True)) for kind, scans in kinds.items()}
    return {"abdomen": [(one.image, one.pixel_size_mm) for one in bellies]} | pairs


def _views(
    scans: Sequence[tuple[np.ndarray, float]], spec: AnomalyModelSpec
) -> tuple[np.ndarray, tuple[Ellipse | None, ...]]:
    finder = load_head_finder() if spec.view == "head" else None
    pictures, sizes = zip(*scans, strict=True)
    made = views_of(pictures, spec.side, spec.view, finder, pixel_sizes=sizes)
    views, ellipses = zip(*made, strict=True)
    return np.stack(views), ellipses


def _shuffled(image: np.ndarray, rng: np.random.Generator, n: int = 4) -> np.ndarray:
    rows = np.array_split(np.arange(image.shape[0]), n)
    columns = np.array_split(np.arange(image.shape[1]), n)
    size = min(len(r) for r in rows), min(len(c) for c in columns)
    tiles = [image[r[: size[0]]][:, c[: size[1]]] for r in rows for c in columns]
    order = rng.permutation(len(tiles))
    lines = [np.hstack([tiles[k] for k in order[i : i + n]]) for i in range(0, n * n, n)]
    return squash(np.vstack(lines), image.shape)


def strangeness(
    scored: Scored, kinds: Mapping[str, Sequence[tuple[np.ndarray, float]]], test: Cases
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return feature distances of strange images, the test part first, and how well they are told
    from it by distance and by low confidence; *no answer* counts every reason.
    """
    model, spec, test_part = scored.model, scored.model.spec, "test part"
    distances = {test_part: scored.test_distance}
    sure, heads = {test_part: scored.test_probs.max(1)}, {test_part: test.found}
    for kind, scans in kinds.items():
        images, ellipses = _views(scans, spec)
        heads[kind] = np.array([ellipse is not None for ellipse in ellipses])
        logits, features = model.logits_and_features(images)
        distances[kind] = model.distance(features)
        sure[kind] = softmax(logits, spec.temperature).max(1)
    rows = []
    for kind, distance in distances.items():
        far, headless = distance > spec.strange_above, ~heads[kind] & (spec.view == "head")
        refused = far | headless | (sure[kind] < spec.abstain_below)
        row = {"images": kind, "n": len(far), "no answer": float(refused.mean())}
        row["too far"] = float(far.mean())
        row |= {"head found": float(heads[kind].mean())} if spec.view == "head" else {}
        if kind != test_part:
            strange = np.repeat([False, True], [len(distances[test_part]), len(far)])
            row["AUC of distance"] = auc(strange, np.append(distances[test_part], distance))
            row["AUC of low confidence"] = auc(strange, -np.append(sure[test_part], sure[kind]))
        rows.append(row)
    return distances, pd.DataFrame(rows)
