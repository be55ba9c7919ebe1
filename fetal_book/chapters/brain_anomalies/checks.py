"""What the networks rest on: filters, borders and text, and what an operation costs."""

from __future__ import annotations

import time
import timeit
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_book.chapters.brain_anomalies.scores import confusions, f1_with_interval
from fetal_lib.baselines import anomaly_features as baselines
from fetal_lib.metrics.classification import accuracy, class_scores
from fetal_lib.models.anomaly_cnns import NAMES, build_anomaly_cnn
from fetal_lib.models.cost import activation_bytes, layer_macs, network_macs, weight_bytes
from fetal_lib.predict.brain_view import ruler_rows, surroundings
from fetal_lib.training.denoise import FILTERS, denoise, denoise_all
from fetal_lib.training.denoise import LABELS as FILTER_LABELS

if TYPE_CHECKING:
    import keras

SMOOTH = 4
"""Pixels of a window in which speckle is measured."""


def baseline_probs(train: Cases, test: Cases, seed: int) -> dict[str, np.ndarray]:
    """Return the probabilities of the predictors without a network, on the test part."""
    n = len(LABELS)
    found = {"commonest_class": baselines.class_frequencies(train.labels, n, len(test))}
    for name in baselines.FEATURES:
        model = baselines.fit_features(name, train.images, train.labels, n, seed)
        found[name] = model.probs(test.images)
    return found


def filter_table(val: Cases) -> pd.DataFrame:
    """Compare the filters: speckle, contrast of the lesion with its surroundings over the noise of
    both, edges kept at its rim, and time.
    """
    rows, edges = [], None
    for name in FILTERS:
        start = time.perf_counter()
        clean = denoise_all(val.images, name)
        spent = 1000 * (time.perf_counter() - start) / len(val)
        contrast, slope = _lesion_contrast(clean, val.lesions)
        edges = slope if edges is None else edges
        row = {"filter": FILTER_LABELS[name], "speckle": _speckle(clean), "contrast": contrast}
        row |= {"edges kept": slope / edges, "ms an image": 0.0 if name == "none" else spent}
        rows.append(row)
    return pd.DataFrame(rows)


def _speckle(images: np.ndarray) -> float:
    """Return the median over windows that are not dark of SD over mean."""
    n, height, width = images.shape
    rows, columns = height // SMOOTH, width // SMOOTH
    cut = images[:, : rows * SMOOTH, : columns * SMOOTH].astype(float)
    windows = cut.reshape(n, rows, SMOOTH, columns, SMOOTH).swapaxes(2, 3)
    windows = windows.reshape(-1, SMOOTH * SMOOTH)
    mean = windows.mean(1)
    kept = mean > 25
    return float(np.median(windows[kept].std(1) / mean[kept]))


def _lesion_contrast(images: np.ndarray, lesions: np.ndarray | None) -> tuple[float, float]:
    import cv2

    if lesions is None:
        return float("nan"), float("nan")
    contrasts, slopes = [], []
    kernel = np.ones((3, 3), np.uint8)
    for image, lesion in zip(images, lesions, strict=True):
        if lesion.sum() < 12:
            continue
        grey, inside = image.astype(float), lesion.astype(np.uint8)
        outer = cv2.dilate(inside, kernel, iterations=3) - cv2.dilate(inside, kernel)
        rim = (cv2.dilate(inside, kernel) - cv2.erode(inside, kernel)).astype(bool)
        a, b = grey[lesion], grey[outer.astype(bool)]
        if len(b) < 4:
            continue
        contrasts.append(abs(a.mean() - b.mean()) / np.sqrt(a.var() + b.var() + 1e-9))
        slopes.append(np.hypot(*np.gradient(grey))[rim].mean())
    if not contrasts:
        return float("nan"), float("nan")
    return float(np.mean(contrasts)), float(np.mean(slopes))


def filtered_examples(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return one image through each filter, by the filter's name for people."""
    return {FILTER_LABELS[name]: denoise(image, name) for name in FILTERS}


def border_table(scored: Mapping[str, Scored], test: Cases, seed: int) -> pd.DataFrame:
    """Score the networks when the surroundings of the skull (or the border of a whole scan), or all
    but them, are black. Nothing is trained again.
    """
    spec = next(iter(scored.values())).model.spec
    outside = surroundings(spec.side, spec.view)
    word = "outside" if spec.view == "head" else "border"
    views = {
        "as it is": test.images,
        f"{word} black": np.where(outside, 0, test.images).astype(np.uint8),
        f"{word} alone": np.where(outside, test.images, 0).astype(np.uint8),
    }
    rows = []
    for name, s in scored.items():
        for view, images in views.items():
            probs = s.test_probs if images is test.images else s.model.probs(images)
            found = confusions(test.labels, probs.argmax(1), test.groups, len(LABELS), seed)
            row = {"network": name, "image": view} | f1_with_interval(*found)
            rows.append(row | {"accuracy": accuracy(found[0])})
    return pd.DataFrame(rows)


def ruler_table(scored: Mapping[str, Scored], test: Cases, seed: int) -> pd.DataFrame:
    """Score the networks with and without the scale bar; empty where views have none. The last
    column is the mean F1 of the three classes that are widths in mm.
    """
    spec = next(iter(scored.values())).model.spec
    if spec.view != "head":
        return pd.DataFrame()
    hidden = test.images.copy()
    hidden[:, spec.side - ruler_rows(spec.side) :] = 0
    wide = [k for k, name in enumerate(LABELS) if name.endswith("ventriculomegaly")]
    rows = []
    for name, s in scored.items():
        for word, probs in (("shown", s.test_probs), ("hidden", s.model.probs(hidden))):
            found = confusions(test.labels, probs.argmax(1), test.groups, len(LABELS), seed)
            row = {"network": name, "scale bar": word} | f1_with_interval(*found)
            f1 = class_scores(found[0]).f1[wide]
            rows.append(row | {"ventriculomegaly": float(np.nanmean(f1))})
    return pd.DataFrame(rows)


def efficiency_table(networks: Mapping[str, keras.Model], side: int) -> pd.DataFrame:
    """Measure the networks of this run, and those of the published width, on this machine."""
    rows = []
    for name in NAMES:
        published = build_anomaly_cnn(name, side=max(side, 64), n_classes=len(LABELS))
        for setting, model in (("this run", networks[name]), ("published", published)):
            row = {"network": name, "setting": setting, "parameters": model.count_params()}
            row["million MAC"] = network_macs(model) / 1e6
            row["weights (MB)"] = weight_bytes(model) / 1e6
            row["activations (MB)"] = activation_bytes(model) / 1e6
            row["latency (ms)"] = 1000 * _seconds(model, 1)
            rows.append(row | {"images a second": 32 / _seconds(model, 32)})
    return pd.DataFrame(rows)


def _seconds(model: keras.Model, batch_size: int) -> float:
    """Return the median time of five forward passes, after one that is left out."""
    batch = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
    spent = timeit.repeat(lambda: model.predict_on_batch(batch), number=1, repeat=6)
    return float(np.median(spent[1:]))


def convolution_table(side: int = 32, channels: tuple[int, ...] = (32, 128)) -> pd.DataFrame:
    """Measure one ordinary against one separable 3x3 convolution of the same size, on 16 images."""
    import keras

    kinds = {"ordinary": keras.layers.Conv2D, "separable": keras.layers.SeparableConv2D}
    rows = []
    for n in channels:
        pair = {}
        for word, kind in kinds.items():
            image = keras.Input((side, side, n))
            layer = kind(n, 3, padding="same")
            model = keras.Model(image, layer(image))
            row = {"channels": n, "convolution": word, "parameters": model.count_params()}
            row |= {"million MAC": layer_macs(layer) / 1e6, "ms": 1000 * _seconds(model, 16)}
            pair[word] = row
        for row in pair.values():
            row["MAC saved"] = pair["ordinary"]["million MAC"] / row["million MAC"]
            row["time saved"] = pair["ordinary"]["ms"] / row["ms"]
        rows += pair.values()
    return pd.DataFrame(rows)
