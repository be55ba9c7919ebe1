"""What each network is and takes: parameters, time, operations, and the Dice beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.chapters.biometry_segmentation.fit import NARROW
from fetal_lib.models.segmentation_networks import (
    build_network,
    count_parameters,
    get_spec,
    published_parameters,
)

if TYPE_CHECKING:
    import pandas as pd

    from fetal_book.runs.session import Run


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


def training_table(
    run: Run, histories: Mapping[str, Sequence[dict]], train_s: Mapping[str, float]
) -> pd.DataFrame:
    """Return time, throughput and last losses of each network, and add them as result rows.

    Parameters
    ----------
    run : Run
    histories : mapping of model to rows of `read_fit_history`
    train_s : mapping of model to seconds
    """
    import pandas as pd

    rows = []
    for name, history in histories.items():
        last, speed = history[-1], np.median([row["images_per_s"] for row in history])
        run.add_result(model=name, split="train", metric="train_s", value=train_s[name])
        run.add_result(model=name, split="train", metric="images_per_s", value=speed)
        row = {"model": name, "epochs": last["epoch"], "train_s": train_s[name]}
        row |= {"images/s": speed, "loss": last["loss"], "validation loss": last["val_loss"]}
        rows.append(row | {"validation Dice": last["val_score"]})
    return pd.DataFrame(rows)


def add_costs(run: Run, costs: pd.DataFrame) -> None:
    """Add parameters, operations and speed of each network as result rows."""
    for row in costs.to_dict("records"):
        known = {"model": row["model"], "split": "all"}
        run.add_result(**known, metric="params", value=row["parameters"])
        run.add_result(**known, metric="gmac", value=row["GMAC"])
        run.add_result(**known, metric="images_per_s", value=row["images/s"])


def dice_intervals(rows: Sequence[dict], names: Sequence[str]) -> pd.DataFrame:
    """Return ``model, dice, low, high`` of the test part, all its images pooled.

    Where there is no interval, ``low`` and ``high`` are the value itself.
    """
    import pandas as pd

    found: dict[str, dict] = {}
    for row in rows:
        if (row["split"], row["metric"]) == ("test", "dice") and row["model"] in names:
            low, high = row["ci95"] or (row["value"],) * 2
            line = {"model": row["model"], "dice": row["value"], "low": low, "high": high}
            found.setdefault(row["model"], line)  # the pooled row comes first
    return pd.DataFrame(list(found.values()))
