"""Score a biometry model on the test part, and write its card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.biometry_cases import Case, of_part
from fetal_book.chapters.biometry_segmentation.biometry_scores import score_table
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.growth.hadlock import EFW_NEEDS, efw_g, ga_weeks
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.predict.biometry_model import BiometryModel

ABLATION = "ablation.csv"
"""In a model's folder: what each part of its recipe does."""
TRIMESTERS = (("first", 0, 14), ("second", 14, 28), ("third", 28, 99))
PLACES = (
    "HC18 is of one hospital",
    "HC18 is of one hospital, the calliper set of two of one city with machines of two makers",
)
SIZE_HEADER = (
    "| size | images | subjects | mean absolute share | median | mean absolute error (mm) | "
    "bias (mm) | inside the interval |"
)


def biometry_card(
    model: BiometryModel,
    cases: Sequence[Case],
    part: str = "test",
    out_of_fold: pd.DataFrame | None = None,
    ablation: pd.DataFrame | None = None,
) -> str:
    """Score a part of the split and return the card, Markdown.

    With the scores of folds, as of `score_table`, it says that they set offsets and intervals; with
    the table of `biometry_ablation` it shows that.
    """
    spec, table = model.spec, score_table(model, of_part(cases, part))
    title = "Head, abdomen and femur" if len(spec.channels) > 1 else "Head circumference"
    return "\n".join([
        f"# {title}: a network of biometry",
        "",
        f"A U-Net of half the grid on scans fitted into {spec.height} x {spec.width} pixels, "
        f"trained on {_counts(cases, 'train')}, by `python -m "
        "fetal_book.chapters.biometry_segmentation.biometry_network`. Offsets were set on "
        f"{_counts(cases, 'validation')}, intervals on {_set_on(out_of_fold)}; the first tables "
        f"are of {_counts(cases, part)}, "
        "which nothing was chosen on; each version that was shipped was scored on them. "
        "Examinations, and subjects over all planes, are on one side.",
        "",
        f"Licence of the weights: {spec.licence}. {_licence(spec.licence)}",
        "",
        *_heads(table[table["source"] == "hc18"]),
        *_sizes(table[table["source"] == "hc18"], "HC18, examinations not trained on"),
        *_sizes(table[table["source"] != "hc18"], "Callipers of two hospitals, subjects not "
                "trained on; heads outer to inner"),
        *_hospitals(table[table["source"] != "hc18"]),
        *_declined(table),
        *_out_of_fold(out_of_fold),
        *_ablation(ablation),
        *_cross_conformal(out_of_fold),
        f"Intervals are made for {spec.interval_coverage:.0%} coverage on scans like these; one "
        "examination counts once. They say nothing of a wrong plane or a wrong pixel size.",
        "",
        f"{PLACES[len(spec.channels) > 1]}; standard planes only, no anomalies, no twins marked. "
        "Research and teaching only, not for clinical use.",
        "",
    ])  # fmt: skip


def _counts(cases: Sequence[Case], part: str) -> str:
    some = of_part(cases, part)
    words = []
    for name, chosen in (("HC18", True), ("the calliper set", False)):
        mine = [case for case in some if (case.source == "hc18") == chosen]
        if mine:
            people = len({case.subject for case in mine})
            who = "examinations" if chosen else "subjects"
            words.append(f"{len(mine)} images of {people} {who} of {name}")
    return " and ".join(words)


def _set_on(out_of_fold: pd.DataFrame | None) -> str:
    if out_of_fold is None:
        return "the same"
    images, people = out_of_fold["image"].nunique(), out_of_fold["subject"].nunique()
    return (
        f"{images} images of {people} examinations and subjects, each measured by one of "
        f"{out_of_fold['fold'].nunique()} shorter fits that has not seen its examination or subject"
    )


def _cross_conformal(table: pd.DataFrame | None) -> list[str]:
    if table is None:
        return []
    words = (
        "The intervals are cross-conformal, in each trimester that has enough subjects: what they "
        "hold of this fit is not promised but measured, in the first tables. They do not know the "
        "machine; the tables by machine show what they hold of each."
    )
    return [words, ""]


def _out_of_fold(table: pd.DataFrame | None) -> Iterator[str]:
    """Yield the scores of the folds: by size, by machine, and of the weight."""
    if table is None:
        return
    yield (
        "Every case but the test part's, by a shorter fit that has not seen its examination or "
        "subject (the offset and the interval of a fold are those that the other folds set):"
    )
    yield ""
    hc18 = table["source"] == "hc18"
    yield from _sizes(table[hc18], "Out of fold, HC18")
    yield from _sizes(table[~hc18], "Out of fold, callipers of two hospitals")
    yield from _hospitals(table[~hc18], every_size=True)
    yield from _weights(table[~hc18])
    yield from _declined(table)


def _ablation(table: pd.DataFrame | None) -> Iterator[str]:
    """Yield what each part of the recipe does, on the validation part."""
    if table is None:
        return
    first = table.iloc[0]
    yield (
        f"What each part of the recipe does: shorter trainings of {first['epochs']} epochs, one an "
        f"arm, measured on the {first['images']} images of the validation part, of which each arm "
        "has its own offset. Differences to the first arm have their 95 % interval over "
        "examinations; that of other first weights is luck alone, so less is not told apart. "
        "Turned, cropped or darker scans, which random forms are for, are not in that part:"
    )
    yield ""
    yield "| arm | lost | ADF (mm) | more than the first | Dice | more than the first |"
    yield "|---|---|---|---|---|---|"
    for row in table.to_dict("records"):
        cells = [row["arm"], str(row["lost"])]
        for value, more, digits in (("adf_mm", "off_mm_more", 2), ("dice", "dice_more", 4)):
            ends = row[f"{more}_low"], row[f"{more}_high"]
            change = "" if np.isnan(ends[0]) else with_interval(row[more], ends, digits)
            cells += [f"{row[value]:.{digits}f}", change]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _weights(table: pd.DataFrame) -> Iterator[str]:
    """Yield weights by measured sizes beside those by callipers, of who has the planes."""
    if table.empty:
        return
    sizes = table.dropna(subset=["value"]).pivot_table(
        index="subject", columns="size", values=["true", "value"]
    )
    yield "Weight by sizes from pictures and by callipers, both by the formula of Hadlock 1985:"
    yield ""
    yield "| formula | subjects | mean absolute share | median | bias | SD |"
    yield "|---|---|---|---|---|---|"
    for name, needs in EFW_NEEDS.items():
        known = [f"{size.lower()}_mm" for size in needs]
        rows = sizes.dropna(subset=[(kind, size) for kind in ("true", "value") for size in known])
        if rows.empty:
            continue
        true, found = (efw_g(**rows[kind][known].to_dict("series")) for kind in ("true", "value"))
        off = np.asarray(found / true - 1)
        cells = [f"{_interval(np.abs(off), rows.index.to_numpy(), 2, 100)} %"]
        cells += [f"{100 * v:.2f} %" for v in (np.median(np.abs(off)), off.mean(), off.std(ddof=1))]
        yield f"| {name}: {', '.join(needs)} | {len(rows)} | {' | '.join(cells)} |"
    yield ""


def _licence(licence: str) -> str:
    if "NC" not in licence:
        return "HC18 is CC BY 4.0 (van den Heuvel et al. 2018)."
    return (
        "HC18 and FETAL_PLANES_DB are CC BY 4.0; the calliper points of the multicentre benchmark "
        "(Di Vece et al. 2025) are CC BY-NC-SA 4.0, and so is what learnt from them."
    )


def _charted(table: pd.DataFrame) -> pd.DataFrame:
    return table[[row.size == SIZES[row.plane][0] for row in table[["plane", "size"]].itertuples()]]


def _interval(
    values: Sequence[float], subjects: Sequence[str], digits: int, scale: float = 1
) -> str:
    values = np.asarray(values) if scale == 1 else np.asarray(values, float) * scale
    if not len(values):
        return "-"
    return with_interval(values.mean(), bootstrap_ci(values, groups=np.array(subjects)), digits)


def _heads(table: pd.DataFrame) -> Iterator[str]:
    """Yield HC18's own scores: absolute difference of HC and Dice, also by trimester of the HC."""
    rows = table[table["size"] == "hc_mm"]
    found = rows.dropna(subset=["value"])
    yield "| HC18 | images | lost | ADF (mm) | median | Dice | inside the interval |"
    yield "|---|---|---|---|---|---|---|"
    weeks = np.array([float(ga_weeks("HC", float(np.clip(v, 68, 360)))) for v in rows["true"]])
    for name, low, high in (("all", -1, 99), *TRIMESTERS):
        some = rows[(weeks >= low) & (weeks < high)]
        kept = found[found.index.isin(some.index)]
        if some.empty:
            continue
        off = (kept["value"] - kept["true"]).abs()
        adf = _interval(off, kept["subject"], 2)
        overlap = _interval(some["dice"], some["subject"], 4)
        label = name if name == "all" else f"{name} trimester"
        cells = [label, str(len(some)), str(len(some) - len(kept)), adf, f"{off.median():.2f}"]
        yield f"| {' | '.join([*cells, overlap, _inside(kept)])} |"
    yield ""
    yield "The trimester is that of the true HC (Hadlock); lost heads have a Dice of 0."
    yield ""


def _sizes(table: pd.DataFrame, title: str) -> Iterator[str]:
    if table.empty:
        return
    yield f"{title}:"
    yield ""
    yield SIZE_HEADER
    yield "|---|---|---|---|---|---|---|---|"
    for size, rows in table.dropna(subset=["value"]).groupby("size", sort=False):
        yield _size_row(size.removesuffix("_mm").upper(), rows)
    yield ""


def _size_row(name: str, rows: pd.DataFrame) -> str:
    off, subjects = rows["value"] - rows["true"], rows["subject"].to_numpy()
    share = (off / rows["true"]).abs()
    cells = [
        name,
        str(len(rows)),
        str(len(set(subjects))),
        f"{_interval(share, subjects, 2, 100)} %",
        f"{100 * share.median():.2f} %",
        _interval(off.abs(), subjects, 2),
        _interval(off, subjects, 2),
        _inside(rows),
    ]
    return f"| {' | '.join(cells)} |"


def _inside(rows: pd.DataFrame) -> str:
    """Write the share of truths inside their intervals, of one image of each subject."""
    one_each = rows[~rows["subject"].duplicated()]
    inside = (one_each["low"] <= one_each["true"]) & (one_each["true"] <= one_each["high"])
    return _interval(inside.to_numpy(), one_each["subject"], 2)


def _hospitals(table: pd.DataFrame, every_size: bool = False) -> Iterator[str]:
    if table.empty:
        return
    yield "By machine, which tells the two hospitals:"
    yield ""
    yield SIZE_HEADER
    yield "|---|---|---|---|---|---|---|---|"
    found = table.dropna(subset=["value"])
    shown = found if every_size else _charted(found)
    for (source, size), rows in shown.groupby(["source", "size"], sort=not every_size):
        yield _size_row(f"{size.removesuffix('_mm').upper()}, {source}", rows)
    yield ""


def _declined(table: pd.DataFrame) -> Iterator[str]:
    rows = _charted(table)
    lost = rows[rows["value"].isna()]
    if lost.empty:
        yield f"None of {len(rows)} images was declined."
    else:
        yield f"{len(lost)} of {len(rows)} images were declined:"
        yield ""
        for row in lost.itertuples():
            yield f"- {row.image} ({row.plane}): {row.reason}"
    yield ""
