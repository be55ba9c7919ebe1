"""What the weights that Xception starts from are worth: the same network from random ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import Cases
from fetal_book.chapters.brain_anomalies.decide import score_network
from fetal_book.chapters.brain_anomalies.fit import (
    fit_network,
    fit_settings,
    fitted_network,
    network_arguments,
)
from fetal_book.chapters.brain_anomalies.scores import summarise
from fetal_book.runs.session import Run
from fetal_lib.training.history import read_history

RANDOM_START = "xception_random"


def train_random_start(
    run: Run, cases: Cases, choices: Mapping[str, dict] | None = None
) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Train Xception from random weights too, as a search chose, and add its test rows to the run.

    Returns its calibrated probabilities of the test part, under its name, and the epochs of the
    fit; both are empty where the run's own started there. It is never the network that the chapter
    looks at.
    """
    if run.parameters.xception_weights == "none":
        return {}, []
    probs, history = _from_random(run, cases, choices or {})
    test, seed = cases.part("test"), run.parameters.seed
    for row in summarise(test.labels, probs, test.groups, RANDOM_START, "test", seed):
        run.add_result(**row)
    return {RANDOM_START: probs}, history


def _from_random(
    run: Run, cases: Cases, choices: Mapping[str, dict]
) -> tuple[np.ndarray, list[dict]]:
    p = run.parameters.model_copy(update={"xception_weights": "none"})
    arguments = network_arguments(p)["xception"]
    settings = fit_settings(p, "xception", cases.aspect, choices.get("xception"))
    train, val = cases.part("train"), cases.part("val")
    fit = fit_network(run, "xception", train, val, arguments, settings, weights="none")
    network = fitted_network("xception", arguments, fit.folder)
    probs = score_network("xception", arguments, network, cases, p).test_probs
    return probs, read_history(fit.folder)


def starts_table(run: Run) -> pd.DataFrame:
    """Return macro-F1 on the test part of each start of Xception; one row where it was random
    anyway.
    """
    starts = {"xception": run.parameters.xception_weights, RANDOM_START: "none"}
    rows = {r["model"]: r for r in run.rows if (r["split"], r["metric"]) == ("test", "macro_f1")}
    lines = [
        {"start": start, "macro_f1": rows[name]["value"]}
        | dict(zip(("low", "high"), rows[name]["ci95"], strict=True))
        | {"n": rows[name]["n"]}
        for name, start in starts.items()
        if name in rows
    ]
    return pd.DataFrame(lines)
