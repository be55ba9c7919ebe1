"""Fit the models of chapter 05, approach by approach."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.explain import Explanation, explain_network
from fetal_book.chapters.brain_age.lessons import reference_lesson, true_lesson
from fetal_book.chapters.brain_age.networks import YEARS, AgeFits, fit_folds, new_network
from fetal_book.chapters.brain_age.segmenter import (
    TAUGHT_BY_REFERENCE,
    TAUGHT_BY_TRUTH,
    fit_segmenter,
)
from fetal_book.chapters.brain_age.volumes import relative_volumes
from fetal_lib.baselines.age_regression import (
    NestedPrediction,
    choose_on_inner,
    combine,
    nested_kernel_ridge,
    nested_predict,
    volume_regressors,
)
from fetal_lib.baselines.tissue_maps import map_kernels
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.precision import processor_has_bfloat16
from fetal_lib.training.torch_forward import predict_network

if TYPE_CHECKING:
    from torch import nn

    from fetal_book.chapters.brain_age.data import Parts
    from fetal_book.chapters.brain_age.lessons import Truth
    from fetal_book.chapters.brain_age.tissues import Tissues
    from fetal_book.parameters.brain_age import BrainAgeParameters
    from fetal_book.runs.session import Run
    from fetal_lib.training.reuse import FitOutcome

SOURCE_REGRESSORS = ("linear", "bayesian_ridge", "poly3")
SOURCE_SETS = ("volumes_absolute", "res_unet")
KERNEL_ALPHAS = tuple(float(a) for a in np.logspace(-3, 1, 13))
CONTRAST = ("gray_mean", "csf_mean", "noise")


def parameter_table() -> pd.DataFrame:
    """Return the networks at their published settings: parameters, and what they take and give."""
    from fetal_lib.models.res_next_3d import get_res_next_3d
    from fetal_lib.models.res_unet_3d import get_res_unet_3d
    from fetal_lib.models.sfcn_3d import get_sfcn_3d

    published = {
        "ResUNet, pooling (1, 2, 2), as coded": (get_res_unet_3d(), "4 x 64³ logits"),
        "ResUNet, pooling (2, 2, 2), as described": (
            get_res_unet_3d(pooling=(2, 2, 2)),
            "4 x 64³ logits",
        ),
        "ResNeXt-50": (get_res_next_3d(), "1 number"),
        "SFCN, one number instead of 40 classes": (get_sfcn_3d(), "1 number"),
    }
    rows = [
        {"network": name, "parameters": _count(network), "from 64³ to": out}
        for name, (network, out) in published.items()
    ]
    return pd.DataFrame(rows)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def fit_segmenters(
    run: Run, truth: Truth, table: pd.DataFrame, tissues: Tissues, parts: Parts
) -> dict[str, tuple[nn.Module, FitOutcome]]:
    """Train one ResUNet on phantoms with their truth, one on scans with reference labels."""
    p = run.parameters
    rows = np.flatnonzero(parts.teaches)
    reference = {"subjects": table["subject"].iloc[rows].tolist(), "data": run.data_fingerprint}
    fits = {
        TAUGHT_BY_TRUTH: fit_segmenter(
            run, TAUGHT_BY_TRUTH, partial(true_lesson, truth, p), truth.source
        ),
        TAUGHT_BY_REFERENCE: fit_segmenter(
            run,
            TAUGHT_BY_REFERENCE,
            partial(reference_lesson, table, tissues, rows, p),
            reference,
        ),
    }
    for name, (network, outcome) in fits.items():
        in_brain_floats(network)
        run.add_result(model=name, split="all", metric="params", value=_count(network))
        run.add_result(model=name, split="train", metric="train_s", value=outcome.train_s)
    return fits


def in_brain_floats(network: nn.Module) -> None:
    """Have a network answer in 16-bit brain floats where the processor multiplies them.

    That is three times as fast; labels are those of the largest of its outputs.
    """
    import torch

    if processor_has_bfloat16() and not torch.cuda.is_available():
        network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)


def contrast_features(tissues: Tissues) -> np.ndarray:
    """Return gray and white as shares, and the scan's contrast: means of gray and CSF, noise."""
    contrast = tissues.table[list(CONTRAST)].to_numpy(float)
    return np.column_stack([relative_volumes(tissues.volumes_ml), contrast])


def volume_models(
    run: Run, age_years: np.ndarray, sets: dict[str, np.ndarray], parts: Parts
) -> dict[str, NestedPrediction]:
    """Predict age from numbers by nested cross-validation.

    The first of the sets of features (N, F) meets all six regressors, those in `SOURCE_SETS` the
    source's three, the others the Gaussian process and the cubic.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    regressors = volume_regressors(run.parameters.seed)
    found = {}
    for number, (name, features) in enumerate(sets.items()):
        some = tuple(regressors) if number == 0 else ("gaussian_process", "poly3")
        for kind in SOURCE_REGRESSORS if name in SOURCE_SETS else some:
            estimator, grid = regressors[kind]
            with warnings.catch_warnings(), threadpool_limits(1):
                # a kernel width that ended at its bound
                warnings.simplefilter("ignore", ConvergenceWarning)
                found[f"{name}_{kind}"] = nested_predict(
                    estimator, grid, features, age_years, parts.folds
                )
    return found


def map_models(
    age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> dict[str, NestedPrediction]:
    """Predict age from tissue maps by linear and Gaussian kernel ridge."""
    linear, gaussian = map_kernels(tissues.maps)
    found = {}
    for name, kernels in (("maps_ridge", linear), ("maps_gaussian", gaussian)):
        found[name] = nested_kernel_ridge(
            list(kernels.values()), KERNEL_ALPHAS, age_years, parts.folds, list(kernels)
        )
    return found


def fit_age_networks(
    run: Run, age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> dict[str, AgeFits]:
    """Train ResNeXt and SFCN in each outer fold; empty where they were not asked for."""
    if not run.parameters.age_networks:
        return {}
    fits = {}
    for name in ("resnext", "sfcn"):
        fits[name] = fit_folds(run, name, tissues.images, age_years, parts.folds)
        count = _count(new_network(name, run.parameters))
        run.add_result(model=name, split="all", metric="params", value=count)
        run.add_result(model=name, split="train", metric="train_s", value=fits[name].train_s)
    return fits


def ensemble(
    predictions: dict[str, NestedPrediction], age_years: np.ndarray, parts: Parts
) -> tuple[NestedPrediction, pd.DataFrame]:
    """Average the best of each approach, as its inner error ranks it; no test part is asked.

    In each fold the best volume model, the best map model and each network that there is are
    weighted by the inverse square of their inner errors. The weights come as a row a fold.
    """
    groups = [
        {k: v for k, v in predictions.items() if k.startswith(start)}
        for start in ("volumes", "maps", "resnext", "sfcn")
    ]
    members = [_chosen(group, age_years, parts) for group in groups if group]
    names = [name for _, name in members]
    together, weights = combine([m for m, _ in members], age_years, parts.folds)
    rows = []
    for k, weight in enumerate(weights):
        row = {"fold": k + 1}
        rows.append(row | {name[k]: w for name, w in zip(names, weight, strict=True)})
    return together, pd.DataFrame(rows).fillna(0.0)


def _chosen(
    group: dict[str, NestedPrediction], age_years: np.ndarray, parts: Parts
) -> tuple[NestedPrediction, list[str]]:
    names = choose_on_inner(group, age_years)
    outer = np.full(len(age_years), np.nan)
    inner = []
    for k, (name, fold) in enumerate(zip(names, parts.folds, strict=True)):
        outer[fold.test] = group[name].outer[fold.test]
        inner.append(group[name].inner[k])
    return NestedPrediction(outer, tuple(inner)), names


def explain_age_network(
    run: Run, name: str, fits: AgeFits, tissues: Tissues, parts: Parts
) -> Explanation:
    """Explain the network of the first fold on the first of the subjects that it is tested on."""
    p: BrainAgeParameters = run.parameters
    rows = parts.folds[0].test[: p.occluded]
    images = tissues.images[rows].astype(np.float32)
    trained = new_network(name, p)
    load_torch_weights(trained, fits.folders[0] / WEIGHTS)
    random = new_network(name, p.model_copy(update={"seed": p.seed + 1}))

    def ask(network: nn.Module):
        network.eval()
        return lambda x: YEARS * predict_network(network, x, 16)[:, 0].astype(float)

    fluid = _mean_fluid(tissues, rows, p)
    return explain_network(ask(trained), trained, ask(random), random, images, fluid, YEARS, p.seed)


def _mean_fluid(tissues: Tissues, rows: np.ndarray, p: BrainAgeParameters) -> np.ndarray:
    """Return the mean share of CSF on the age networks' grid."""
    from fetal_lib.baselines.mni_space import FIRST_MM, GRID_MM
    from fetal_lib.training.mri_input import resample

    mean = tissues.maps[rows, 0].astype(np.float32).mean(axis=0)
    affine = np.diag([2 * GRID_MM] * 3 + [1.0])
    affine[:3, 3] = np.asarray(FIRST_MM) + GRID_MM / 2
    fluid, _ = resample(mean, affine, p.age_spacing_mm, p.age_side)
    return np.clip(fluid, 0, 1)
