"""What the weights that Xception starts from are worth: the same fit from random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.brain_anomalies.data import Cases
from fetal_lib.chapters.brain_anomalies.decide import Scored, score_network
from fetal_lib.chapters.brain_anomalies.fit import (
    fit_network,
    fit_settings,
    fitted_network,
    network_arguments,
)
from fetal_lib.evaluation.anomalies import summarise
from fetal_lib.training.keras_checkpoint import read_history

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.runs.session import Run

RANDOM_START = "xception_random"


@dataclass(frozen=True)
class Starts:
    """What Xception reaches from its weights and from random ones.

    Attributes
    ----------
    table : DataFrame
        ``start, macro_f1, low, high, n`` on the test part; one row where Xception started from
        random weights anyway.
    history : list of dict
        Epochs of the fit from random weights; empty where there is none beside the run's own.
    """

    table: pd.DataFrame
    history: list[dict]


def compare_starts(run: Run, xception: Scored, cases: Cases) -> Starts:
    """Train Xception from random weights too; score both on the same images.

    The rows of the fit from random weights are added to the run as ``xception_random``; it is
    never the network that the chapter looks at.

    Parameters
    ----------
    run : Run
    xception : Scored
        The network of the run, from ``xception_weights``.
    cases : Cases
        Split.
    """
    import pandas as pd

    start, history = run.parameters.xception_weights, []
    found = {start: _test_rows(run, xception.test_probs, cases)}
    if start != "none":
        probs, history = _from_random(run, cases)
        found["none"] = _test_rows(run, probs, cases)
        for row in found["none"]:
            run.add_result(**row)
    return Starts(pd.DataFrame([_line(name, rows) for name, rows in found.items()]), history)


def _from_random(run: Run, cases: Cases) -> tuple[np.ndarray, list[dict]]:
    p = run.parameters.model_copy(update={"xception_weights": "none"})
    arguments = network_arguments(p)["xception"]
    settings = fit_settings(p, "xception", cases.aspect)
    train, val = cases.part("train"), cases.part("val")
    fit = fit_network(run, "xception", train, val, arguments, settings, weights="none")
    network = fitted_network("xception", arguments, fit.folder)
    probs = score_network("xception", arguments, network, cases, p).test_probs
    return probs, read_history(fit.folder)


def _test_rows(run: Run, probs: np.ndarray, cases: Cases) -> list[dict[str, object]]:
    test, seed = cases.part("test"), run.parameters.seed
    return summarise(test.labels, probs, test.groups, RANDOM_START, "test", seed)


def _line(start: str, rows: list[dict]) -> dict[str, object]:
    (row,) = (row for row in rows if row["metric"] == "macro_f1")
    low, high = row["ci95"]
    return {"start": start, "macro_f1": row["value"], "low": low, "high": high, "n": row["n"]}
