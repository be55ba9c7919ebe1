"""What chapter 01's network looks at: gates and Grad-CAM of each plane, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.gestational_age.data import (
    CHOICES,
    PlaneSet,
    channels,
    middle_regions,
    scan_names,
)
from fetal_book.chapters.gestational_age.fit import FoldFit, new_network
from fetal_lib.data.layouts.fetal_mri import iter_scans
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.grad_cam import grad_cams
from fetal_lib.explain.occlusion import map_similarity, occlusion_map
from fetal_lib.explain.sanity import randomised, region_shares, replacement_curve
from fetal_lib.predict.gestational_age_maps import plane_gates
from fetal_lib.training.keras_regression import predict_values

if TYPE_CHECKING:
    import keras

    from fetal_book.parameters.gestational_age import GestationalAgeParameters

N_RANDOM = 8  # random orders of each fetus
AT_ONCE = 8  # fetuses whose Grad-CAM is made in one pass: their features are held in memory


@dataclass(frozen=True)
class Maps:
    """Hold the maps of one fetus's middle slices."""

    subject: str
    ga_days: float
    image: np.ndarray  # uint8 (S, S, P)
    gates: np.ndarray  # float32 (P, S, S), mean over channels, 0 to 1
    cams: np.ndarray  # float32 (P, S, S), size of signed Grad-CAM, days
    # float (P, S, S), days by which the answer moves when a patch of one plane is hidden
    hidden: np.ndarray
    random_cams: np.ndarray  # float32 (P, S, S), Grad-CAM of the network with shuffled weights
    regions: dict[str, np.ndarray]  # name to bool (P, S, S)


def explain(
    planes: PlaneSet, cases: pd.DataFrame, one: FoldFit, parameters: GestationalAgeParameters
) -> list[Maps]:
    """Return the maps of held-out fetuses, spread over the ages, by the network of their own fold.

    `cases` is the case table, for the labels.
    """
    p, names = parameters, CHOICES[parameters.planes]
    rows = planes.table.iloc[one.test]
    middle = rows[rows["slice"] == p.n_slices // 2].drop_duplicates("subject")
    middle = middle.sort_values("ga_days")
    middle = middle.iloc[evenly_spaced(p.explained, len(middle))]
    shuffled = randomised(one.network, lambda: new_network(p), p.seed)
    first = cases.assign(name=scan_names(cases)).drop_duplicates("name").set_index("name")
    scans = iter_scans(first.loc[middle["subject"]])
    images = planes.images[middle.index.to_numpy()][..., channels(p)]
    days = np.float32(one.settings.scale)
    all_cams, all_random = (
        cams_of_all(network, images, names) * days for network in (one.network, shuffled)
    )
    found = []
    for image, cams, random_cams, scan in zip(images, all_cams, all_random, scans, strict=True):
        regions = {k: v[channels(p)] for k, v in middle_regions(scan, p).items()}
        gates = plane_gates(one.network, image, names)
        hidden = hidden_days(one, image)
        who = scan.subject, scan.ga_days
        found.append(Maps(*who, image, gates, cams, hidden, random_cams, regions))
    return found


def cams_of_all(network: keras.Model, images: np.ndarray, planes: Sequence[str]) -> np.ndarray:
    """Return the size of signed Grad-CAM behind each plane's gate, a pass a plane for many fetuses.

    Images are uint8 (N, S, S, P), maps float32 (N, P, S, S) in the unit of the network's answer; as
    :func:`fetal_lib.predict.gestational_age_maps.plane_cams` of each fetus.
    """
    parts = []
    for first in range(0, len(images), AT_ONCE):
        x = images[first : first + AT_ONCE] / np.float32(255)
        outputs = [0] * len(x)
        cams = [grad_cams(network, f"gated_{one}", x, outputs, signed=True) for one in planes]
        parts.append(np.abs(np.stack(cams, axis=1)))
    return np.concatenate(parts)


def hidden_days(one: FoldFit, image: np.ndarray, n_patches: int = 8) -> np.ndarray:
    """Return by how many days hiding a patch of one plane moves the answer, float (P, S, S).

    The image is uint8 (S, S, P), with `n_patches` along a side.
    """
    patch = max(2, image.shape[0] // n_patches)
    found = []
    for k in range(image.shape[-1]):

        def measure(changed: np.ndarray, k: int = k) -> np.ndarray:
            whole = np.repeat(image[None], len(changed), axis=0)
            whole[..., k] = changed
            return predict_values(one.network, whole, one.settings.centre, one.settings.scale)

        plane = np.ascontiguousarray(image[..., k])
        found.append(occlusion_map(plane, measure, patch, patch))
    return np.stack(found)


def overlap_table(maps: list[Maps], parameters: GestationalAgeParameters) -> pd.DataFrame:
    """Return, for each plane and kind of map, the share on each region beside its area."""
    rows = []
    for one in maps:
        for k, plane in enumerate(CHOICES[parameters.planes]):
            regions = {name: region[k] for name, region in one.regions.items()}
            kinds = {"Grad-CAM": one.cams[k], "gate": one.gates[k] - one.gates[k].min()}
            for kind, values in kinds.items():
                for row in region_shares(values, regions).to_dict("records"):
                    rows.append({"plane": plane, "map kind": kind} | row)
    if not rows:
        return pd.DataFrame(columns=["plane", "map kind", "region", "map", "area", "ratio"])
    frame = pd.DataFrame(rows)
    keys = ["plane", "map kind", "region"]
    means = frame.groupby(keys, sort=False, as_index=False)[["map", "area"]].mean()
    return means.assign(ratio=means["map"] / means["area"])


def checks_table(maps: list[Maps], parameters: GestationalAgeParameters) -> pd.DataFrame:
    """Return rank correlations of each plane's maps, means over fetuses."""
    rows = []
    for k, plane in enumerate(CHOICES[parameters.planes]):
        pairs = {
            "Grad-CAM and occlusion": [(one.cams[k], one.hidden[k]) for one in maps],
            "gate and occlusion": [(one.gates[k], one.hidden[k]) for one in maps],
            "Grad-CAM and its own with shuffled weights": [
                (one.cams[k], one.random_cams[k]) for one in maps
            ],
        }
        for name, both in pairs.items():
            found = np.array([map_similarity(*pair) for pair in both])
            known = found[np.isfinite(found)]
            mean = float(known.mean()) if len(known) else float("nan")
            row = {"plane": plane, "maps": name, "rank correlation": mean, "fetuses": len(known)}
            rows.append(row)
    return pd.DataFrame(rows)


def deletion(
    maps: list[Maps], one: FoldFit, parameters: GestationalAgeParameters, steps: int = 8
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return how far the answer moves (days) while pixels are hidden in the order of a map.

    The random order is that of a map of the same coarseness whose values are drawn: single
    pixels drawn at random would roughen the whole picture, which no map does.
    """
    rng = np.random.default_rng(parameters.seed)
    grid = one.network.get_layer(f"gate_{CHOICES[parameters.planes][0]}").output.shape[1:3]
    changes: dict[str, list[np.ndarray]] = {}
    for fetus in maps:
        orders = [("Grad-CAM", fetus.cams), ("gate", fetus.gates)]
        orders += [("random", coarse_noise(fetus.gates.shape, grid, rng)) for _ in range(N_RANDOM)]
        for name, values in orders:
            share, change = _hide(fetus.image, values, one, steps)
            changes.setdefault(name, []).append(change)
    return share, {name: np.mean(curves, 0) for name, curves in changes.items()}


def coarse_noise(
    shape: tuple[int, int, int], grid: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return maps of even noise on a grid, interpolated as heat-maps are: float32 (P, S, S)."""
    import cv2

    n, height, width = shape
    drawn = rng.random((n, *grid)).astype(np.float32)
    size = (width, height)
    return np.stack([cv2.resize(d, size, interpolation=cv2.INTER_LINEAR) for d in drawn])


def _hide(
    image: np.ndarray, values: np.ndarray, one: FoldFit, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hide the pixels of all planes in the order of their maps: image (S, S, P), maps (P, S, S)."""
    n, side = values.shape[:2]

    def measure(tall: np.ndarray) -> np.ndarray:
        planes = tall.reshape(-1, n, side, side).transpose(0, 2, 3, 1)
        return predict_values(one.network, planes, one.settings.centre, one.settings.scale)

    tall = image.transpose(2, 0, 1).reshape(n * side, side, 1)
    return replacement_curve(tall, values.reshape(n * side, side), measure, steps)


def gate_text(maps: list[Maps]) -> str:
    """Return, in Markdown, how much of its range the mean gate uses over all fetuses and planes."""
    low, high = (float(end([one.gates for one in maps])) for end in (np.min, np.max))
    return (
        f"Of a range from 0 to 1, the mean gate takes values from {low:.2f} to {high:.2f} in these "
        "maps. The colours are stretched over that: a vivid picture is no proof of a large effect."
    )
