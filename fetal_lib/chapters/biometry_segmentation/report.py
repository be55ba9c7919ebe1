"""Tables of chapter 03: networks, scores by source and structure, ensembles, the source's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.biometry_segmentation.fit import NARROW
from fetal_lib.evaluation.structures import (
    circumference_mm,
    score_structures,
    summarise_structures,
)
from fetal_lib.metrics.regression import bland_altman
from fetal_lib.models.segmentation_networks import (
    build_network,
    count_parameters,
    get_spec,
    published_parameters,
)
from fetal_lib.predict.segmenter import fuse_members

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from fetal_lib.chapters.biometry_segmentation.data import CaseArrays
    from fetal_lib.predict.segmenter import Segmenter
    from fetal_lib.runs.session import Run

SOURCE_TABLE = {
    "med_seg_diff": (0.9852, 0.9726, 0.9864, 0.961, 70),
    "duck_net_17": (0.9682, 0.9395, 0.9699, 0.932, 175),
    "attention_unet": (0.9671, 0.9365, 0.9622, 0.920, 41),
    "unext": (0.9615, 0.9251, 0.9630, 0.918, 40),
    "trans_unet": (0.9556, 0.9128, 0.9579, 0.901, 33),
}
"""README of source 002, "Combined Dataset": Dice, IoU, recall, mAP, minutes of training."""
SHOWN = ("dice", "iou", "recall", "map")
RELEASED_PASSES = 1000 * 5
"""Steps times members of the released code's default."""


def network_table(names: Sequence[str], size: str, image_size: int) -> pd.DataFrame:
    """Return a row a network: parameters as published, counted and in this run.

    Parameters
    ----------
    names : sequence of str
    size : str
        ``"narrow"`` or ``"published"``.
    image_size : int
        Pixels; positions that are learnt count.
    """
    import pandas as pd
    import torch

    rows = []
    for name in names:
        spec, width = get_spec(name), NARROW[name] if size == "narrow" else 1.0
        with torch.device("meta"):
            here = count_parameters(build_network(name, 1, 1, width, image_size))
        row = {"network": spec.title, "published": spec.published_count or "not released"}
        row |= {"counted at that setting": published_parameters(name), "width here": width}
        rows.append(row | {"parameters here": here, "sides multiple of": spec.multiple})
    return pd.DataFrame(rows)


def score_all(
    segmenters: Mapping[str, Segmenter],
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Return probability maps, scores, and the ensembles of diffusion networks, by name.

    An ensemble is sampled once, float32 (K, N, S, S), and fused as the network's spec says.
    """
    probs, ensembles = {}, {}
    for name, segmenter in segmenters.items():
        if segmenter.is_diffusion:
            ensembles[name] = segmenter.members(arrays.images)
            probs[name] = fuse_members(ensembles[name], segmenter.spec.fusion)
        else:
            probs[name] = segmenter.probs(arrays.images)
    scores = {name: score_structures(table, references, found) for name, found in probs.items()}
    return probs, scores, ensembles


def add_scores(run: Run, scores: Mapping[str, pd.DataFrame]) -> None:
    """Add result rows: pooled, and per source where there are several."""
    for name, frame in scores.items():
        sources = frame["source"].unique()
        pooled = run.data_name if len(sources) == 1 else "+".join(sources)
        for row in summarise_structures(frame, name, pooled, "test", run.parameters.seed):
            run.add_result(**row)
        for source in sources if len(sources) > 1 else ():
            part = frame[frame["source"] == source]
            for row in summarise_structures(part, name, source, "test", run.parameters.seed):
                run.add_result(**row)


def results_table(rows: Sequence[dict]) -> pd.DataFrame:
    """Return the test rows as a wide table, a row a model and data set, text with intervals."""
    import pandas as pd

    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        if row["split"] != "test" or row["metric"] not in (*SHOWN, "hd95_mm", "assd_mm", "adf_mm"):
            continue
        line = lines.setdefault((row["model"], row["data"]), {"n": str(row["n"] or "")})
        digits = 2 if row["metric"].endswith("_mm") else 3
        text = f"{row['value']:.{digits}f}"
        if row["ci95"] is not None:
            text += " ({:.{d}f} to {:.{d}f})".format(*row["ci95"], d=digits)
        line[row["metric"]] = text
    kept = [{"model": m, "data": d, **line} for (m, d), line in lines.items()]
    return pd.DataFrame(kept).fillna("")


def by_structure(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return bias, limits of agreement and errors of HC and AC for each model."""
    import pandas as pd

    rows = []
    for model, frame in scores.items():
        for structure, part in frame.groupby("structure"):
            kept = part.dropna(subset=["pred_mm", "true_mm"])
            row = {"model": model, "measure": "HC" if structure == "head" else "AC"}
            row |= {"n": len(part), "not found": len(part) - len(kept)}
            row["Dice"] = part["dice"].mean()
            if len(kept) > 2:
                agreement = bland_altman(kept["true_mm"].to_numpy(), kept["pred_mm"].to_numpy())
                row |= {"DF (mm)": agreement.bias, "ADF (mm)": kept["adf_mm"].mean()}
                row |= {"lower limit": agreement.lower, "upper limit": agreement.upper}
            rows.append(row)
    return pd.DataFrame(rows)


def source_comparison(
    scores: Mapping[str, pd.DataFrame], train_s: Mapping[str, float]
) -> pd.DataFrame:
    """Return the source's table beside ours, row by row."""
    import pandas as pd

    rows = []
    for name, values in SOURCE_TABLE.items():
        if name not in scores:
            continue
        frame = scores[name]
        row: dict[str, object] = {"model": get_spec(name).title}
        for metric, quoted in zip(SHOWN, values, strict=False):
            row |= {f"{metric}, source": quoted, f"{metric}, here": frame[metric].mean()}
        row |= {"minutes, source": values[-1], "minutes, here": train_s[name] / 60}
        rows.append(row)
    return pd.DataFrame(rows)


def ensemble_table(
    segmenter: Segmenter,
    members: np.ndarray,
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
) -> pd.DataFrame:
    """Score each way to fuse an ensemble.

    Parameters
    ----------
    segmenter : Segmenter
    members : ndarray, float32 (K, N, S, S)
        From :func:`score_all`.
    table, arrays, references
        The test part.

    Returns
    -------
    DataFrame
        ``answer``, Dice, ADF and HD95: one member alone, the three fusions, and the condition
        network by itself, which needs no sampling.
    """
    import pandas as pd

    answers = {"one member": members[0]}
    answers |= {how: fuse_members(members, how) for how in ("mean", "majority", "staple")}
    answers["condition network alone"] = segmenter.anchor_probs(arrays.images)
    rows = []
    for name, probs in answers.items():
        frame = score_structures(table, references, probs)
        row = {"answer": name, "Dice": frame["dice"].mean(), "ADF (mm)": frame["adf_mm"].mean()}
        rows.append(row | {"HD95 (mm)": frame["hd95_mm"].mean()})
    return pd.DataFrame(rows)


def sampling_table(
    segmenter: Segmenter,
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
    ancestral_steps: int,
    n: int = 6,
) -> pd.DataFrame:
    """Compare one member by DDIM with one by many drawn steps, on the first ``n`` test images.

    Returns
    -------
    DataFrame
        ``sampler, passes``, Dice, seconds an image, and how many times fewer passes the run's
        ensemble takes than the released code, with its 1000 steps and 5 members.
    """
    import time

    import pandas as pd

    images, part, masks = arrays.images[:n], table.iloc[:n], references[:n]
    spec, rows = segmenter.spec, []
    for name, steps, ancestral in (
        ("DDIM", spec.sampling_steps, 0),
        ("ancestral", ancestral_steps, ancestral_steps),
    ):
        start = time.perf_counter()
        found = segmenter.members(images, 1, ancestral)[0]
        seconds = (time.perf_counter() - start) / len(images)
        row = {"sampler": name, "passes": steps, "s an image": seconds}
        row["Dice"] = score_structures(part, masks, found)["dice"].mean()
        row["fewer passes than released"] = RELEASED_PASSES / (steps * spec.members)
        rows.append(row)
    return pd.DataFrame(rows)


def ellipse_baseline(arrays: CaseArrays, seed: int) -> np.ndarray:
    """Return masks of bright ellipses found without learning, float32 (N, S, S); empty if none."""
    from fetal_lib.baselines.bright_ellipse import fit_bright_ellipse

    found = np.zeros(arrays.images.shape, np.float32)
    for i, image in enumerate(arrays.images):
        try:
            found[i] = fit_bright_ellipse(image, seed=seed + i).mask(image.shape)
        except ValueError:
            continue
    return found


def reference_circumference_gap(
    table: pd.DataFrame, references: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the reference masks' circumference minus the table's, mm: the floor of errors."""
    pairs = zip(references, table["pixel_size_mm"], table["true_mm"], strict=True)
    return np.array([circumference_mm(m / 255, m.shape, size) - true for m, size, true in pairs])


def pretty(table: pd.DataFrame) -> Styler:
    """Return a table without its index and with few digits, for display."""
    return table.style.hide(axis="index").format(precision=3)


def typical_and_worst(scores: pd.DataFrame, n: int = 4) -> np.ndarray:
    """Return the positions of ``n`` images around the median overlap, then the ``n`` worst."""
    order = np.argsort(scores["dice"].to_numpy(), kind="stable")
    middle = max(0, len(order) // 2 - n // 2)
    return np.concatenate([order[middle : middle + n], order[:n]])
