"""Find, describe and select the data of chapter 04."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.fingerprint import hash_cases
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.data_sets import data_folder
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_phantoms import head


def find_data(parameters: HeadCircumferenceParameters) -> Path:
    """Return the folder that the ``data`` parameter names; phantoms are made on first use."""
    p = parameters
    spec = {"kind": "head", "version": head.GENERATOR_VERSION, "n": p.n_phantoms}
    spec |= {"seed": p.seed, "marks": p.marks}
    make = partial(head.write_head_set, n_examinations=p.n_phantoms, seed=p.seed, marks=p.marks)
    return data_folder(p.data, make, spec)


def fingerprint(table: pd.DataFrame, arrays: HeadArrays) -> str:
    """Return a hash of the table and the arrays: what a fit depends on."""
    columns = ["image", "pixel_size_mm", "hc_mm", "examination"]
    return hash_cases(table[columns], arrays.images, arrays.masks, arrays.outlines)


def select(arrays: HeadArrays, chosen: np.ndarray) -> HeadArrays:
    """Return the images of a set where ``chosen``, bool (N,), holds."""
    index = np.flatnonzero(chosen)
    return replace(
        arrays,
        images=arrays.images[index],
        masks=arrays.masks[index],
        outlines=arrays.outlines[index],
        sizes_hw=arrays.sizes_hw[index],
        ellipses=tuple(arrays.ellipses[i] for i in index),
    )


def pixel_statistics(arrays: HeadArrays) -> pd.DataFrame:
    """Return mean, spread and quantiles of images, masks, and the unfilled outlines."""
    parts = {
        "images": arrays.images / 255,
        "filled masks": arrays.masks / 255,
        "outlines as drawn, resized": arrays.outlines / 255,
    }
    rows = {}
    for name, values in parts.items():
        low, median, high = np.percentile(values, [5, 50, 95])
        rows[name] = {"mean": values.mean(), "sd": values.std(), "5 %": low, "median": median}
        rows[name] |= {"95 %": high, "share exactly 0": (values == 0).mean()}
    return pd.DataFrame(rows).T.rename_axis("array").reset_index()


def known_ages(folder: Path, scores: pd.DataFrame) -> pd.DataFrame:
    """Return ``image, hc_pred_mm, ga_weeks`` of heads whose age is known otherwise than by size.

    A phantom set says the age of each image in ``phantom.json``; real sets in HC18's layout do not.
    """
    path = Path(folder) / "phantom.json"
    known = json.loads(path.read_text()).get("ga_days", {}) if path.is_file() else {}
    ages = scores[["image", "hc_pred_mm"]].dropna().copy()
    ages["ga_weeks"] = ages["image"].map(known).astype(float) / 7
    return ages.dropna(ignore_index=True)
