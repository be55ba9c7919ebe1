"""What a chapter does with one network: its data, its split, its training, its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.published_size.networks import get_network

if TYPE_CHECKING:
    from fetal_book.published_size.piece import PieceRun


@dataclass(frozen=True)
class Trained:
    """Hold a network that took all its epochs and was scored; rows of results are in the run.

    Attributes
    ----------
    counted : its parameters.
    answer : answers one test image, as a user's command does.
    """

    counted: int
    answer: Callable[[], object]


@dataclass(frozen=True)
class Course:
    """Hold the data of a chapter, split, and what is left to do.

    Attributes
    ----------
    n_train : images of an epoch.
    precision : that the chapter trains in, ``float32`` or ``bfloat16``.
    train : trains with the run's parameters as they are then, and scores the test part once.
    """

    n_train: int
    precision: str
    train: Callable[[], Trained]


def prepare(run: PieceRun, name: str) -> Course:
    """Read and split the data of a network's chapter."""
    courses = {
        "01_gestational_age": gestational_age,
        "02_brain_anomalies": brain_anomalies,
        "03_biometry_segmentation": biometry,
        "04_head_circumference": heads,
        "05_brain_age": brain_age,
    }
    return courses[get_network(name).chapter](run, name)


def gestational_age(run: PieceRun, name: str) -> Course:
    """Chapter 01: the first of its outer folds, by fetus."""
    from fetal_book.chapters.age_scores import age_rows
    from fetal_book.chapters.gestational_age import data, fit, scores
    from fetal_lib.data.layouts.fetal_mri import read_cases
    from fetal_lib.training.keras_regression import predict_values

    p = run.parameters
    brains = data.cut_planes(read_cases(data.find_data(p)), p)
    run.data_fingerprint = data.fingerprint(brains)
    fold = fit.make_folds(brains, p)[0]

    def train() -> Trained:
        one = fit.fit_fold(run, brains, fold)
        held = fit.answers(brains, [one])
        told = scores.per_fetus(
            *(held[column].to_numpy() for column in ("subject", "ga_days", "pred_days"))
        )
        who = held.drop_duplicates("subject").set_index("subject")["group"]
        days, pred = told["ga_days"].to_numpy(), told["pred_days"].to_numpy()
        groups = told["subject"].map(who).to_numpy()
        for row in age_rows(days, pred, "days", name, "test", groups, p.seed):
            run.add_result(**row)
        image = brains.images[fold.test[:1]]
        centre, scale = one.settings.centre, one.settings.scale
        ask = lambda: predict_values(one.network, image, centre, scale)  # noqa: E731
        return Trained(one.network.count_params(), ask)

    return Course(len(fold.inner[0][0]), "float32", train)


def brain_anomalies(run: PieceRun, name: str) -> Course:
    """Chapter 02: cases apart."""
    from fetal_book.chapters.brain_anomalies import data, decide, fit, scores
    from fetal_lib.training.precision import precision_policy

    p = run.parameters
    cases = data.split_cases(data.read_views(run, data.find_data(p)), p)
    run.data_fingerprint = data.fingerprint(cases)
    parts = {part: cases.part(part) for part in data.PARTS}

    def train() -> Trained:
        p = run.parameters
        arguments = fit.network_arguments(p)[name]
        settings = fit.fit_settings(p, name, cases.aspect)
        done = fit.fit_network(run, name, parts["train"], parts["val"], arguments, settings)
        network = fit.fitted_network(name, arguments, done.folder)
        scored, test = decide.score_network(name, arguments, network, cases, p), parts["test"]
        for row in scores.summarise(
            test.labels, scored.test_probs, test.groups, name, "test", p.seed
        ):
            run.add_result(**row)
        one = test.images[:1]
        return Trained(network.count_params(), lambda: scored.model.logits_and_features(one))

    policy = precision_policy(p.precision)
    return Course(len(parts["train"]), policy.removeprefix("mixed_"), train)


def biometry(run: PieceRun, name: str) -> Course:
    """Chapter 03: examinations apart; channels last where 16-bit floats are computed in."""
    import torch

    from fetal_book.chapters.biometry_segmentation import data, fit, scores
    from fetal_book.chapters.case_scores import add_means
    from fetal_lib.data.splits.shares import split_by_group
    from fetal_lib.models.torch_weights import load_torch_weights
    from fetal_lib.predict.segmenter import Segmenter
    from fetal_lib.training.history import WEIGHTS
    from fetal_lib.training.torch_fit import fit_torch
    from fetal_lib.training.torch_forward import choose_device, seed_torch
    from fetal_lib.training.torch_segmentation import Segmentation

    p = run.parameters
    table = data.read_cases(p, data.find_data(p))
    arrays = data.load_cases(table, (p.image_size, p.image_size))
    run.data_fingerprint = data.fingerprint(table, arrays)
    shares = {"test": p.test_fraction, "val": p.val_fraction}
    sizes = table.groupby("subject")["true_mm"].transform("mean")
    part = np.asarray(split_by_group(table["subject"], sizes, shares, p.seed))
    (listed,) = fit.chosen_networks(p)
    spec = fit.segmenter_spec(p, listed)
    precision = "float32" if fit.fit_settings(p, arrays).precision == "32-true" else "bfloat16"

    def fit_into(folder) -> None:
        p = run.parameters
        seed_torch(p.seed)
        network = spec.build()
        if precision != "float32":
            network = network.to(memory_format=torch.channels_last)
        some, val = arrays.select(part == "train"), arrays.select(part == "val")
        how = (fit.fit_settings(p, arrays), fit.loss_of(spec, p.anchor_every))
        watched = (val.images, val.masks), fit.score_of(spec)
        fit_torch(
            folder, network, Segmentation(some.images, some.masks, *how, *watched), run.progress
        )

    def train() -> Trained:
        p = run.parameters
        model = {"name": listed, "image_size": p.image_size, "predicts": p.predicts}
        how = fit.fit_settings(p, arrays).as_spec() | shares | {"signal": p.signal}
        outcome = run.fit_or_reuse(model, how, (), fit_into)
        network = spec.build()
        load_torch_weights(network, outcome.folder / WEIGHTS)
        segmenter = Segmenter(network, spec, choose_device())
        kept, test = table[part == "test"].reset_index(drop=True), arrays.select(part == "test")
        found = scores.score_structures(
            kept, data.references(kept, test), segmenter.probs(test.images)
        )
        labels = {"model": name, "data": run.data_name, "split": "test"}
        add_means(run, found, scores.METRICS, "subject", **labels)
        n = sum(q.numel() for q in network.parameters())
        return Trained(n, lambda: segmenter.probs(test.images[:1]))

    return Course(int((part == "train").sum()), precision, train)


def heads(run: PieceRun, name: str) -> Course:
    """Chapter 04: examinations apart; filled masks, or the rings that its source learnt."""
    from fetal_book.published_size.rings import heads_course

    return heads_course(run, name)


def brain_age(run: PieceRun, name: str) -> Course:
    """Chapter 05: the segmenter on subjects set aside, the ResNeXt on the first outer fold."""
    from functools import partial

    from fetal_book.chapters.age_scores import age_rows
    from fetal_book.chapters.brain_age import data, lessons, networks, report, segmenter
    from fetal_book.chapters.brain_age.tissues import segment_all
    from fetal_lib.data.layouts.adult_mri import read_cases

    p = run.parameters
    folder = data.find_data(p)
    run.fingerprint_folder(folder)
    everyone = read_cases(folder).rows
    made = segment_all(run, everyone)
    used = (made.table["reasons"] == "").to_numpy()
    tissues, table = made.select(used), everyone[used].reset_index(drop=True)
    parts = data.split_subjects(table, p)
    age = table["age_years"].to_numpy(float)
    rows, fold = np.flatnonzero(parts.teaches), parts.folds[0]

    def segment() -> Trained:
        p, model = run.parameters, segmenter.TAUGHT_BY_REFERENCE
        lesson = partial(lessons.reference_lesson, table, tissues, rows, p)
        known = {"subjects": table["subject"].iloc[rows].tolist(), "data": run.data_fingerprint}
        fitted = segmenter.fit_segmenter(run, model, lesson, known)
        found = segmenter.apply_segmenters(run, {model: fitted}, table, tissues, parts, ())
        report.add_dice(run, found.dice, parts)
        values, _ = next(lessons.segmenter_scans(table, p, tissues.brightness))
        n = sum(q.numel() for q in fitted[0].parameters())
        return Trained(n, lambda: segmenter.segment(fitted[0], values))

    def ages() -> Trained:
        p = run.parameters
        predict, _, _ = networks.fit_one(run, name, tissues.images, age, *fold.inner[0])
        told, persons = predict(tissues.images[fold.test]), parts.person[fold.test]
        for row in age_rows(age[fold.test], told, "years", name, "test", persons, p.seed):
            run.add_result(**row)
        n = sum(q.numel() for q in networks.new_network(name, p).parameters())
        return Trained(n, lambda: predict(tissues.images[fold.test[:1]]))

    if name == "res_unet":
        return Course(len(rows), "float32", segment)
    return Course(len(fold.inner[0][0]), "float32", ages)
