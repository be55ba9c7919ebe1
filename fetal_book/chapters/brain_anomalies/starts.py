"""What the weights that Xception starts from are worth: the same network from random ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.chapters.brain_anomalies.data import Cases
from fetal_book.chapters.brain_anomalies.decide import score_network
from fetal_book.chapters.brain_anomalies.fit import (
    fit_network,
    fit_settings,
    fitted_network,
    network_arguments,
)
from fetal_book.chapters.brain_anomalies.scores import summarise
from fetal_lib.training.history import read_history

if TYPE_CHECKING:
    import pandas as pd

    from fetal_book.runs.session import Run

RANDOM_START = "xception_random"


@dataclass(frozen=True)
class RandomStart:
    """What Xception reaches from random weights; empty where the run's own started there.

    Attributes
    ----------
    probs : dict of str to ndarray, shape (N, K)
        Calibrated, of the test part, under the name ``xception_random``.
    history : list of dict
        Epochs of the fit.
    """

    probs: dict[str, np.ndarray] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


def train_random_start(run: Run, cases: Cases) -> RandomStart:
    """Train Xception from random weights too, and add its test rows to the run.

    It is never the network that the chapter looks at.

    Parameters
    ----------
    run : Run
    cases : Cases
        Split.
    """
    if run.parameters.xception_weights == "none":
        return RandomStart()
    probs, history = _from_random(run, cases)
    test = cases.part("test")
    for row in summarise(
        test.labels, probs, test.groups, RANDOM_START, "test", run.parameters.seed
    ):
        run.add_result(**row)
    return RandomStart({RANDOM_START: probs}, history)


def _from_random(run: Run, cases: Cases) -> tuple[np.ndarray, list[dict]]:
    p = run.parameters.model_copy(update={"xception_weights": "none"})
    arguments = network_arguments(p)["xception"]
    settings = fit_settings(p, "xception", cases.aspect)
    train, val = cases.part("train"), cases.part("val")
    fit = fit_network(run, "xception", train, val, arguments, settings, weights="none")
    network = fitted_network("xception", arguments, fit.folder)
    probs = score_network("xception", arguments, network, cases, p).test_probs
    return probs, read_history(fit.folder)


def starts_table(run: Run) -> pd.DataFrame:
    """Return ``start, macro_f1, low, high, n`` on the test part, of each start of Xception.

    One row where Xception started from random weights anyway.
    """
    import pandas as pd

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
