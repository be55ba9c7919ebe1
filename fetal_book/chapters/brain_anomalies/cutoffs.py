"""Cut-offs for one question at a time, chosen by ROC on validation and used on the test part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_lib.metrics.intervals import wilson_interval
from fetal_lib.metrics.roc import recall_threshold, roc_band, youden_threshold

NORMAL = LABELS.index("normal")
SCREENING_RECALL = 0.95
ILL_SHARE = 0.01
"""Share of the ill at which the predictive value is shown too: an example, as in screening."""


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
    new evidence. That of the area is a bootstrap over patients.
    """
    score = {"val": 1 - scored.val_probs[:, NORMAL], "test": 1 - scored.test_probs[:, NORMAL]}
    truth = {"val": val.labels != NORMAL, "test": test.labels != NORMAL}
    if any(ill.all() or not ill.any() for ill in truth.values()):
        return pd.DataFrame([{"measure": "no normal images, or none but normal ones, in a part"}])
    cut = recall_threshold(truth["val"], score["val"], SCREENING_RECALL)
    found, ill = score["test"] >= cut, truth["test"]
    rows = [
        {"measure": measure} | _share(hit, kept, test.groups)
        for measure, kept, hit in (
            ("sensitivity", ill, found),
            ("specificity", ~ill, ~found),
            ("positive predictive value, this mix", found, ill),
        )
        if kept.any()
    ]
    right, false = found[ill].mean() * ILL_SHARE, found[~ill].mean() * (1 - ILL_SHARE)
    word = f"positive predictive value, were {ILL_SHARE:.0%} ill"
    rows.append({"measure": word, "value": right / (right + false) if right + false else np.nan})
    band = roc_band(ill, score["test"], test.groups, seed=seed)
    area = {"value": band.auc, "low": band.auc_ci95[0], "high": band.auc_ci95[1]}
    area |= {"n": len(ill), "patients": len(set(test.groups))}
    rows.append({"measure": "area under the ROC curve"} | area)
    rows.append({"measure": "cut-off", "value": cut})
    return pd.DataFrame(rows).astype({"n": "Int64", "patients": "Int64"})


def _share(hit: np.ndarray, kept: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Return the share of hits among the cases kept, with its interval."""
    share, patients = float(hit[kept].mean()), len(set(groups[kept]))
    low, high = wilson_interval(share * patients, patients)
    return {"value": share, "low": low, "high": high, "n": int(kept.sum()), "patients": patients}
