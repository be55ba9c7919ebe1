"""How much an age moves when a scan is unevenly bright, and what N4 takes back.

A smooth field that is known is multiplied onto scans; the same scan without it says how much of an
age's change the field made, and the field itself how much of it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.judge import FoldJudge
from fetal_book.chapters.brain_age.tissues import CODE as TISSUE_CODE
from fetal_book.chapters.brain_age.tissues import Tissues, read_in_mni
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.baselines.mni_space import brain_mask, grid_affine, standard_t1
from fetal_lib.baselines.tissue_maps import block_means
from fetal_lib.baselines.tissue_mixture import even_out, segment_tissues
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.training.mri_input import correct_bias_field
from fetal_phantoms.mri import knot_noise

CODE = (
    *TISSUE_CODE,
    "fetal_lib.baselines.cosine_ridge",
    "fetal_phantoms.mri",
    "fetal_book.chapters.brain_age.judge",
    "fetal_book.chapters.brain_age.uneven",
)
STRENGTHS = (0.0, 0.1, 0.2)
"""SD of the logarithm of the field inside the brain; 0.1 is 20 % from the 16th to the 84th
centile."""
N4_SHRINK = 4
"""The fields are drawn from four knots an axis, far coarser than every fourth voxel."""
WAYS = {"left as it is": (False, 0), "N4": (True, 0), "polynomial of the mixture": (False, 3)}
"""Whether N4 corrects, and the degree of the polynomial that the mixture then fits."""


def known_field(mask: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return a smooth field (X, Y, Z) whose logarithm has mean 0 and SD `strength` in a mask.

    Examples
    --------
    >>> inside = np.ones((12, 14, 12), bool)
    >>> field = known_field(inside, 0.1, np.random.default_rng(0))
    >>> round(float(np.log(field).std()), 3)
    0.1
    """
    log = knot_noise(mask.shape, 4, rng)
    inside = log[mask]
    return np.exp(strength * (log - inside.mean()) / inside.std()).astype(np.float32)


def uneven_ages(
    run: Run, table: pd.DataFrame, tissues: Tissues, parts: Parts, judged: NestedPrediction
) -> pd.DataFrame:
    """Tell the ages of tested subjects from scans with known fields, evened out in three ways.

    Each is judged by the model of the fold that tested the subject. Returns a row a scan, strength
    and way: ``subject, strength, way, age_years`` (predicted) and ``left``, the SD of the logarithm
    of what is left of the field.
    """
    tested = np.flatnonzero(parts.tested)
    order = tested[np.argsort(table["age_years"].to_numpy()[tested], kind="stable")]
    rows = order[evenly_spaced(run.parameters.uneven_scans, len(order))]
    judge = FoldJudge(table, tissues, parts, judged, run.parameters.seed)

    def compute(folder: Path) -> None:
        # The models are fitted before the threads ask for them.
        folds = {int(row): int(parts.fold[row]) for row in rows}
        for row, fold in folds.items():
            judge.predict(tissues.maps[row], fold)

        def one(row: int) -> list[dict]:
            known = table.iloc[row]
            maps = _uneven_maps(known, run.parameters.seed, row)
            return [line | {"age_years": judge.predict(m, folds[row])} for line, m in maps]

        with ThreadPoolExecutor(2) as pool:
            found = [line for lines in pool.map(one, map(int, rows)) for line in lines]
        pd.DataFrame(found).to_csv(folder / "ages.csv", index=False)

    spec = {"name": "uneven_scans", "strengths": STRENGTHS, "ways": WAYS}
    settings = {"subjects": table["subject"].iloc[rows].tolist()}
    outcome = run.fit_or_reuse(spec, settings, CODE, compute)
    return pd.read_csv(outcome.folder / "ages.csv")


def _uneven_maps(row: pd.Series, seed: int, number: int) -> Iterator[tuple[dict, np.ndarray]]:
    """Yield, by strength and way, what is known of a scan and its tissue maps."""
    scan, _ = read_in_mni(row["subject"], row["path"])
    affine = grid_affine()
    t1 = standard_t1(scan.volume.data, scan.volume.affine)
    mask = brain_mask(t1, affine)
    own = {}
    for strength in STRENGTHS:
        field = known_field(mask, strength, np.random.default_rng([seed, number]))
        for way, (n4, degree) in WAYS.items():
            seen, log = t1 * field, np.zeros(t1.shape, np.float32)
            if n4:
                seen, found = correct_bias_field(seen, affine, mask, N4_SHRINK)
                log = np.log(found)
            seen = standard_t1(seen, affine)
            mixture = segment_tissues(seen, affine, mask, degree)
            if degree:
                inside = even_out(np.ones_like(t1), mask, mixture.brightness)
                log = -np.log(np.where(mask, np.maximum(inside, 1e-6), 1))
            own.setdefault(way, log)  # of the scan without a field: its own unevenness
            left = (np.log(field) - (log - own[way]))[mask].std()
            line = {"subject": row["subject"], "strength": strength, "way": way}
            yield line | {"left": float(left)}, block_means(mixture.shares)


def uneven_table(run: Run, ages: pd.DataFrame) -> pd.DataFrame:
    """Return how far ages move by a field, by strength and way, with 95 % intervals over scans.

    An age moves from what the same way makes of the same scan without a field.
    """
    plain = ages[ages["strength"] == 0].set_index(["subject", "way"])["age_years"]
    rows = []
    for (strength, way), some in ages[ages["strength"] > 0].groupby(["strength", "way"]):
        before = plain[list(zip(some["subject"], some["way"], strict=True))].to_numpy()
        moved = np.abs(some["age_years"].to_numpy() - before)
        low, high = bootstrap_ci(moved, seed=run.parameters.seed)
        row = {"SD of the field": f"{strength:.0%}", "corrected by": way, "scans": len(moved)}
        row |= {
            "left of the field": f"{some['left'].mean():.1%}",
            "an age moves by (y)": moved.mean(),
        }
        rows.append(row | {"95 % low": low, "95 % high": high, "at most": moved.max()})
    return pd.DataFrame(rows)


def uneven_text(run: Run, ages: pd.DataFrame) -> str:
    """Return, in Markdown, if N4 or the polynomial keeps ages nearer to where they were."""
    plain = ages[ages["strength"] == 0].set_index(["subject", "way"])["age_years"]
    strongest = ages[ages["strength"] == max(STRENGTHS)].set_index(["subject", "way"])["age_years"]
    moved = (strongest - plain).abs().unstack("way")
    lines = []
    for way in list(WAYS)[1:]:
        less = (moved["left as it is"] - moved[way]).to_numpy()
        low, high = bootstrap_ci(less, seed=run.parameters.seed)
        ends = f"{low:+.1f} to {high:+.1f}{', which holds 0' if low <= 0 <= high else ''}"
        lines.append(f"- {way}: **{less.mean():+.1f} years** (95 % interval {ends})")
    first = (
        f"How much less the strongest field moves the ages of {len(moved)} scans, than uncorrected:"
    )
    return "\n".join([first, "", *lines])
