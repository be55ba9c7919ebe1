"""Turn chapter 01's networks into a model that `fetal-lib predict ga` applies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.gestational_age.data import CHOICES, PlaneSet, channels, network_name
from fetal_book.chapters.gestational_age.fit import FoldFit
from fetal_book.chapters.model_card import model_card
from fetal_book.runs.session import Run
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.predict.gestational_age_model import (
    GaModel,
    GaModelSpec,
    likeness,
    reference_pictures,
)


def save_model(
    run: Run, brains: PlaneSet, fits: Sequence[FoldFit], result: pd.DataFrame
) -> GaModel:
    """Write the networks of all folds, and what says when to decline, to ``model/``.

    The half-width is the conformal quantile of the errors on held-out fetuses (`result`): none was
    in the training of the fold that tested it. The networks are averaged afterwards: that errs
    less.
    """
    p = run.parameters
    error = np.abs(result["pred_days"] - result["ga_days"]).to_numpy()
    fetuses = brains.fetuses()
    volumes = fetuses["brain_ml"].to_numpy(float)
    known = bool(np.isfinite(volumes).all())
    days = fetuses["ga_days"]
    spec = GaModelSpec(
        image_size=p.image_size,
        n_slices=p.n_slices,
        size_normalised=p.size_normalised,
        planes=CHOICES[p.planes],
        backbone=p.backbone,
        width=p.width,
        batch_norm=p.batch_norm,
        n_pools=p.n_pools,
        hidden=p.hidden,
        dropout=p.dropout,
        centres=tuple(one.settings.centre for one in fits),
        scales=tuple(one.settings.scale for one in fits),
        half_width_days=float(conformal_quantile(error, p.coverage)),
        interval_coverage=p.coverage,
        ga_range_days=(float(days.min()), float(days.max())),
        brain_ml_range=(float(volumes.min()), float(volumes.max())) if known else None,
        min_likeness=least_likeness(brains, fits, channels(p)),
        trained_on=run.data_name,
    )
    table = brains.table
    references = reference_pictures(
        brains.images[..., channels(p)],
        table["subject"].to_numpy(),
        table["ga_days"].to_numpy(float),
    )
    model = GaModel([one.network for one in fits], spec, references)
    model.save(run.folder / "model", _card(run, spec))
    return model


def least_likeness(brains: PlaneSet, fits: Sequence[FoldFit], kept: Sequence[int]) -> float:
    """Return the likeness that a scan must have: a margin below that of all held-out fetuses.

    Each fetus is compared with mean pictures of folds that it is not in; the margin is half
    of the distance from the lowest to the median.
    """
    subject = brains.table["subject"].to_numpy()
    days = brains.table["ga_days"].to_numpy(float)
    images = brains.images[..., list(kept)]
    found = []
    for one in fits:
        others = np.setdiff1d(np.arange(len(subject)), one.test)
        references = reference_pictures(images[others], subject[others], days[others])
        for name in np.unique(subject[one.test]):
            found.append(likeness(images[subject == name], references))
    return float(1.5 * np.min(found) - 0.5 * np.median(found))


def _card(run: Run, spec: GaModelSpec) -> str:
    low, high = (days / 7 for days in spec.ga_range_days)
    size = "normalised away" if spec.size_normalised else "kept"
    return model_card(
        run,
        network_name(run.parameters),
        "Gestational age from three planes of fetal brain MRI",
        f"`{spec.trained_on}` (licence: see the data)",
        f"; fetuses of {low:.1f} to {high:.1f} weeks; size {size}. Input: T2-weighted MRI, masked "
        f"to the brain with its fluid. The mean of {len(spec.centres)} networks, one a fold.",
        [
            f"Interval: ± {spec.half_width_days:.1f} days, from the errors on held-out fetuses, "
            f"for {spec.interval_coverage:.0%} coverage on fetuses like these.",
            f"It declines scans whose likeness with the training is below {spec.min_likeness:.2f}, "
            "brains smaller or larger than those it knows, and ages outside them.",
        ],
        "A model that was trained on phantoms has never seen a real fetus.",
        "held-out fetuses, a network a fold",
    )
