"""Cut-offs for one question at a time, chosen by ROC on validation and used on the test part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_lib.metrics.intervals import percentile_interval, wilson_interval
from fetal_lib.metrics.roc import recall_threshold, roc_band, youden_threshold

NORMAL = LABELS.index("normal")
SCREENING_RECALL = 0.95
N_DRAWS = 4000
AFFECTED_SHARE = 0.01
"""Share of the affected at which the predictive value is shown too: an example, as in screening."""


def cutoff_table(scored: Scored, val: Cases, test: Cases) -> pd.DataFrame:
    """Return sensitivity and specificity of each class at one half and at Youden's cut-off, which
    is chosen on validation and used on test; classes that a part lacks are left out.
    """
    rows = []
    for k, name in enumerate(LABELS):
        here, there = val.labels == k, test.labels == k
        if not (0 < here.sum() < len(here) and 0 < there.sum() < len(there)):
            continue
        cut = youden_threshold(here, scored.val_probs[:, k])
        row = {"class": name, "n": int(there.sum()), "cut-off": cut}
        for word, at in (("0.5", 0.5), ("cut-off", cut)):
            found = scored.test_probs[:, k] >= at
            row[f"sensitivity at {word}"] = float(found[there].mean())
            row[f"specificity at {word}"] = float((~found[~there]).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def screening_table(scored: Scored, val: Cases, test: Cases, seed: int = 0) -> pd.DataFrame:
    """Return what "anything but normal" finds at the cut-off for 95 % recall on validation.

    Intervals of shares are Wilson's, as if each patient were one case: images of one patient are no
    new evidence. That of the value at a rare condition follows from the beta distributions of
    sensitivity and specificity (Jeffreys' prior), patients counted once; that of the area is a
    bootstrap over patients.
    """
    score = {"val": 1 - scored.val_probs[:, NORMAL], "test": 1 - scored.test_probs[:, NORMAL]}
    truth = {"val": val.labels != NORMAL, "test": test.labels != NORMAL}
    if any(affected.all() or not affected.any() for affected in truth.values()):
        return pd.DataFrame([{"measure": "no normal images, or none but normal ones, in a part"}])
    cut = recall_threshold(truth["val"], score["val"], SCREENING_RECALL)
    found, affected = score["test"] >= cut, truth["test"]
    rows = [
        {"measure": measure} | _share(hit, kept, test.groups)
        for measure, kept, hit in (
            ("sensitivity", affected, found),
            ("specificity", ~affected, ~found),
            ("positive predictive value, this mix", found, affected),
        )
        if kept.any()
    ]
    rows.append(
        {"measure": f"positive predictive value, were {AFFECTED_SHARE:.0%} affected"}
        | _rare_value(found, affected, test.groups, seed)
    )
    band = roc_band(affected, score["test"], test.groups, seed=seed)
    area = {"value": band.auc, "low": band.auc_ci95[0], "high": band.auc_ci95[1]}
    area |= {"n": len(affected), "patients": len(set(test.groups))}
    rows.append({"measure": "area under the ROC curve"} | area)
    rows.append({"measure": "cut-off", "value": cut})
    return pd.DataFrame(rows).astype({"n": "Int64", "patients": "Int64"})


def _share(hit: np.ndarray, kept: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Return the share of hits among the cases kept, with its interval."""
    share, patients = float(hit[kept].mean()), len(set(groups[kept]))
    low, high = wilson_interval(share * patients, patients)
    return {"value": share, "low": low, "high": high, "n": int(kept.sum()), "patients": patients}


def _rare_value(
    found: np.ndarray, affected: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, float]:
    """Return the predictive value that sensitivity and specificity give where few are affected."""
    rng = np.random.default_rng(seed)
    shares, drawn = [], []
    for kept in (affected, ~affected):
        share, n = float(found[kept].mean()), len(set(groups[kept]))
        shares.append(share)
        drawn.append(rng.beta(share * n + 0.5, (1 - share) * n + 0.5, N_DRAWS))
    low, high = percentile_interval(_value(*drawn))
    row = {"value": float(_value(*shares)), "low": low, "high": high}
    return row | {"n": len(affected), "patients": len(set(groups))}


def _value(sensitivity: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return the share of right alarms from sensitivity and the share of false alarms."""
    right, false = sensitivity * AFFECTED_SHARE, alarms * (1 - AFFECTED_SHARE)
    with np.errstate(invalid="ignore"):
        return np.asarray(right) / np.asarray(right + false)
