"""Ask whether a heat-map explains the network: random weights, deletion, and where it lies.

References
----------
Adebayo J et al. Sanity checks for saliency maps. NeurIPS 2018. arXiv:1810.03292
Petsiuk V, Das A, Saenko K. RISE: randomized input sampling for explanation of black-box models.
BMVC 2018. arXiv:1806.07421 (deletion and insertion)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    import pandas as pd


def randomised(network: keras.Model, build: Callable[[], keras.Model], seed: int) -> keras.Model:
    """Return a network of the same build whose weights are shuffled within each array.

    Shuffling keeps the spread of every array, so that the answer stays of the same size and
    only what was learned is gone.

    Parameters
    ----------
    network : keras.Model
    build : makes an untrained network of the same shape.
    seed : int
    """
    rng = np.random.default_rng(seed)
    other = build()
    shuffled = [rng.permutation(w.ravel()).reshape(w.shape) for w in network.get_weights()]
    other.set_weights(shuffled)
    return other


def replacement_curve(
    image: np.ndarray,
    saliency: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    steps: int = 10,
    fill: float = 0.0,
    insert: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Hide pixels in the order of a map (deletion), or show them in it (insertion).

    Parameters
    ----------
    image : (H, W, C)
    saliency : float (H, W), the highest first; equal ones in an order drawn at random.
    measure : (N, H, W, C) to (N,), the number that is explained.
    steps : int
    fill : value that hides.
    insert : start from an empty image and show pixels.

    Returns
    -------
    share : float (steps + 1,), share of the pixels that was replaced.
    change : float (steps + 1,), absolute change of the number from that of the whole image.

    Raises
    ------
    ValueError
        If map and image differ in height and width.

    Examples
    --------
    >>> image = np.array([[[4.0], [1.0]]])
    >>> replacement_curve(image, image[..., 0], lambda x: x.sum((1, 2, 3)), steps=2)[1].tolist()
    [0.0, 4.0, 5.0]
    """
    if saliency.shape != image.shape[:2]:
        raise ValueError(
            f"saliency: received shape {saliency.shape} for an image of {image.shape[:2]}; a map "
            "has the image's height and width."
        )
    noise = np.random.default_rng(0).random(saliency.size)
    order = np.lexsort((noise, -saliency.ravel()))
    share = np.linspace(0, 1, steps + 1)
    flat = image.reshape(-1, image.shape[-1])
    made = []
    for part in share:
        first = order[: round(part * len(order))]
        now = np.full_like(flat, fill) if insert else flat.copy()
        now[first] = flat[first] if insert else fill
        made.append(now.reshape(image.shape))
    whole = float(measure(image[None])[0])
    return share, np.abs(np.asarray(measure(np.stack(made)), float) - whole)


def region_shares(saliency: np.ndarray, regions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return how much of a map lies on each region, beside the region's share of the picture.

    Parameters
    ----------
    saliency : float (H, W), not negative.
    regions : name to bool (H, W).

    Returns
    -------
    DataFrame
        ``region, map, area, ratio``; ratio 1 is what a map would have that knows nothing. NaN
        for a map that is zero everywhere.

    Examples
    --------
    >>> found = region_shares(np.array([[3.0, 1.0]]), {"left": np.array([[True, False]])})
    >>> float(found["map"][0]), float(found["area"][0]), float(found["ratio"][0])
    (0.75, 0.5, 1.5)
    """
    import pandas as pd

    total = float(saliency.sum())
    rows = []
    for name, region in regions.items():
        part = float(saliency[region].sum()) / total if total > 0 else float("nan")
        area = float(region.mean())
        ratio = part / area if area > 0 else float("nan")
        rows.append({"region": name, "map": part, "area": area, "ratio": ratio})
    return pd.DataFrame(rows)
