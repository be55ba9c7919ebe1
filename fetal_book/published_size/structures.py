"""Chapter 03's segmentation networks, subjects apart; channels last, in 16 bits if they can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.published_size.course import Course, Trained
from fetal_book.published_size.networks import RECOUNTED

if TYPE_CHECKING:
    import pandas as pd

    from fetal_book.published_size.piece import PieceRun
    from fetal_lib.training.torch_segmentation import SegmentationSettings

COMPARED = ("dice", "adf_mm")
"""Measures by which every two networks are compared on the same test images, and that are told of
each structure where a set has several."""


def read_structures(run: PieceRun, name: str) -> dict[str, Any]:
    """Chapter 03: scans and masks, split, and the masks of the test part at the scans' size."""
    from fetal_book.chapters.biometry_segmentation import data

    p = run.parameters
    table = data.read_cases(p, data.find_data(p))
    arrays = data.load_cases(table, (p.image_size, p.image_size))
    run.data_fingerprint = data.fingerprint(table, arrays)
    part = data.deal_out(table, shares_of(run), p.seed)
    test = table[part == "test"].reset_index(drop=True)
    masks = data.references(test, arrays.select(part == "test"))
    table = table.drop(columns=["image_path", "mask_path"])
    return {"table": table, "arrays": arrays, "part": part, "references": masks}


def shares_of(run: PieceRun) -> dict[str, float]:
    """Return the shares of test and validation part."""
    return {"test": run.parameters.test_fraction, "val": run.parameters.val_fraction}


def structures(run: PieceRun, name: str, data: dict[str, Any]) -> Course:
    """Chapter 03: subjects apart."""
    from fetal_book.chapters.biometry_segmentation import fit, scores
    from fetal_book.chapters.case_scores import add_means
    from fetal_lib.models.torch_weights import load_torch_weights
    from fetal_lib.predict.segmenter import Segmenter
    from fetal_lib.training.batch_statistics import (
        drops_before_normalising,
        recount_statistics,
    )
    from fetal_lib.training.history import WEIGHTS
    from fetal_lib.training.memory_format import channels_last
    from fetal_lib.training.torch_fit import fit_torch
    from fetal_lib.training.torch_forward import choose_device, seed_torch
    from fetal_lib.training.torch_segmentation import Segmentation

    arrays, part = data["arrays"], data["part"]
    (listed,) = fit.chosen_networks(run.parameters)
    spec = fit.segmenter_spec(run.parameters, listed)

    def settings() -> SegmentationSettings:
        """The epochs of the run are planned after it was prepared; the record keeps each."""
        return replace(fit.fit_settings(run.parameters, arrays), watch_every=1)

    def fit_into(folder: Path) -> None:
        p = run.parameters
        seed_torch(p.seed)
        network = channels_last(spec.build(), settings().precision)
        some, val = arrays.select(part == "train"), arrays.select(part == "val")
        how = (settings(), fit.loss_of(spec, p.anchor_every))
        watched = (val.images, val.masks), fit.score_of(spec)
        task = Segmentation(some.images, some.masks, *how, *watched)
        fit_torch(folder, network, task, run.progress)

    def train() -> Trained:
        p = run.parameters
        model = {"name": listed, "image_size": p.image_size, "predicts": p.predicts}
        how = settings().as_spec() | shares_of(run) | {"signal": p.signal}
        outcome = run.fit_or_reuse(model, how, (), fit_into)
        network = spec.build()
        load_torch_weights(network, outcome.folder / WEIGHTS)
        segmenter = Segmenter(network, spec, choose_device())
        test = arrays.select(part == "test")
        table = data["table"][part == "test"].reset_index(drop=True)

        def score(model: str) -> pd.DataFrame:
            found = scores.score_structures(table, data["references"], segmenter.probs(test.images))
            labels = {"model": model, "split": "test"}
            add_means(run, found, scores.METRICS, "subject", data=run.data_name, **labels)
            for structure, some in found.groupby("structure", sort=False):
                if len(some) < len(found):
                    of = f"{run.data_name}, {structure}"
                    add_means(run, some, COMPARED, "subject", data=of, **labels)
            return found

        found = score(name)
        if segmenter.is_diffusion and drops_before_normalising(network.condition):
            recount_statistics(network.condition, arrays.select(part == "train").images)
            score(name + RECOUNTED)
        n = sum(q.numel() for q in network.parameters())
        told = found[["image", "subject", *COMPARED]].round(5).astype(object)
        cases = told.where(told.notna(), None).to_dict("records")  # no length where none was found
        return Trained(n, lambda: segmenter.probs(test.images[:1]), cases)

    in_full = settings().precision == "32-true"
    return Course(int((part == "train").sum()), "float32" if in_full else "bfloat16", train)
