"""What the age network looks at: occlusion and Grad-CAM in template space, with their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_lib.explain.deletion_verdict import deletion_verdict
from fetal_lib.explain.grad_cam_torch import grad_cam, occlusion_volume
from fetal_lib.explain.occlusion import map_similarity, share_on

if TYPE_CHECKING:
    from torch import nn

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the brain that are hidden along a deletion curve."""


@dataclass(frozen=True)
class Explanation:
    """Hold mean maps of a network and what they are worth."""

    # title to float (S, S, S), mean over the explained subjects
    maps: dict[str, np.ndarray]
    background: np.ndarray  # float (S, S, S), mean of what the network was fed
    checks: pd.DataFrame  # a row a map
    # an order's name to float (K,), mean absolute change in years
    deletion: dict[str, np.ndarray]


def explain_network(
    predict: Callable[[np.ndarray], np.ndarray],
    network: nn.Module,
    random_predict: Callable[[np.ndarray], np.ndarray],
    random_network: nn.Module,
    images: np.ndarray,
    fluid: np.ndarray,
    years: float,
    seed: int,
) -> Explanation:
    """Average maps over subjects, and check them against random weights and by deletion.

    The networks, trained and untrained, have a method ``features``; their `predict` takes images
    (n, 1, S, S, S) in template space to years (n,), and `years` is what a unit of their answer is.
    `fluid` is the mean share of CSF (S, S, S): where age shows most.
    """
    brain = (np.abs(images[:, 0]) > 0).mean(axis=0) > 0.5
    patch = max(2, images.shape[-1] // 8)
    occlusion, random_occlusion = (
        _mean([occlusion_volume(x, f, patch, patch // 2 + 1, where=brain) for x in images])
        for f in (predict, random_predict)
    )
    cams = {}
    for name, model in (("trained", network), ("random", random_network)):
        layer = model.stages if hasattr(model, "stages") else model.narrow
        cams[name] = _mean([np.abs(grad_cam(model, layer, x, signed=True)) * years for x in images])
    maps = {"occlusion": occlusion, "Grad-CAM": cams["trained"]}
    maps = {name: np.where(brain, values, 0.0) for name, values in maps.items()}
    others = {"occlusion": random_occlusion, "Grad-CAM": cams["random"]}
    checks = _checks(maps, others, brain, fluid)
    deletion = _deletion(predict, images, brain, maps, seed)
    return Explanation(maps, images[:, 0].mean(axis=0), checks, deletion)


def explanation_text(explained: Explanation, n: int) -> str:
    """Return, in Markdown, which maps of a network pass the deletion check, and on how many."""
    said = deletion_verdict(np.array(SHARES), explained.deletion, "random blocks", "years")
    return f"{said} {n} subjects and one random order are few: a small lead may be chance."


def _mean(maps: list[np.ndarray]) -> np.ndarray:
    return np.mean(maps, axis=0)


def _checks(
    maps: dict[str, np.ndarray], others: dict[str, np.ndarray], brain: np.ndarray, fluid: np.ndarray
) -> pd.DataFrame:
    wet = brain & (fluid > np.quantile(fluid[brain], 0.75))
    rows = []
    for name, values in maps.items():
        row = {"map": name, "largest (years)": values.max()}
        row["constant"] = bool(np.ptp(values[brain]) == 0)
        row["rank correlation with random weights"] = map_similarity(
            values[brain], others[name][brain]
        )
        row["share of map on the quarter with most fluid"] = share_on(
            np.where(brain, values, 0), wet
        )
        rows.append(row | {"share of brain there": wet.sum() / brain.sum()})
    return pd.DataFrame(rows)


def _deletion(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    brain: np.ndarray,
    maps: dict[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Return how far the answer moves while the brain is hidden, most important places first."""
    rng = np.random.default_rng(seed)
    inside = np.flatnonzero(brain)
    orders = {name: inside[np.argsort(-values.ravel()[inside])] for name, values in maps.items()}
    # A random order in blocks, not voxels: scattered voxels would blur and hide nothing.
    blocks = np.ravel_multi_index(
        [axis // 4 for axis in np.unravel_index(inside, brain.shape)],
        [n // 4 + 1 for n in brain.shape],
    )
    order = rng.permutation(blocks.max() + 1)[blocks]
    orders["random blocks"] = inside[np.argsort(order, kind="stable")]
    whole = predict(images)
    curves = {}
    for name, order in orders.items():
        changes = []
        for share in SHARES:
            hidden = images.copy().reshape(len(images), -1)
            hidden[:, order[: int(share * len(order))]] = 0
            changes.append(np.abs(predict(hidden.reshape(images.shape)) - whole).mean())
        curves[name] = np.array(changes)
    return curves
