"""One picture under two class names: what no classifier can get right on both."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import Cases, pretty_label
from fetal_lib.data.audit.hashes import VIEWS, packed, thumbnail, view_hashes
from fetal_lib.readers.image import read_gray


def name_clashes(cases: Cases) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return the pairs of images that are one picture under two class names, and these images.

    A row a picture and pair of classes, the two files that look most alike; columns as
    `fetal_lib.plots.audit.show_pair` takes them. Empty for phantoms, which have no such pairs.
    """
    rows, shown = [], {}
    if "picture" in cases.table:
        for picture, of in cases.table.groupby("picture"):
            for pair in combinations(sorted(set(of["label"])), 2):
                row, images = _closest(of, pair)
                rows.append({"picture": picture} | row)
                shown |= images
    return pd.DataFrame(rows), shown


def _closest(of: pd.DataFrame, names: tuple[str, str]) -> tuple[dict, dict[str, np.ndarray]]:
    sides = [of[of["label"] == name] for name in names]
    scans = [[read_gray(path) for path in side["image_path"]] for side in sides]
    words = [np.stack([packed(view_hashes(thumbnail(one))) for one in many]) for many in scans]
    # (images of the one, images of the other, views): bits that differ
    apart = np.bitwise_count(words[0][:, None, :1] ^ words[1][None]).sum(-1)
    i, j, view = np.unravel_index(apart.argmin(), apart.shape)
    row = {"bits": int(apart[i, j, view]), "view": VIEWS[view]}
    images = {}
    for side, at, letter, many in zip(sides, (i, j), "ab", scans, strict=True):
        one = side.iloc[at]
        row |= {f"image_{letter}": one["image"], f"part_{letter}": one.get("part", "")}
        row[f"label_{letter}"] = pretty_label(one["label"])
        images[one["image"]] = many[at]
    same = scans[0][i].shape == scans[1][j].shape and (scans[0][i] == scans[1][j]).all()
    return row | {"exact": bool(same)}, images


def clash_words(cases: Cases, pairs: pd.DataFrame) -> str:
    """Say how many pictures stand under several names, and how many images that concerns."""
    if not len(pairs):
        return "No picture of this set stands under two class names."
    n_pictures = cases.table["picture"].nunique()
    twice = pairs["picture"].unique()
    n = int(cases.table["picture"].isin(twice).sum())
    return (
        f"**{len(twice)}** of {n_pictures} distinct pictures stand under more than one class name, "
        f"with {n} of {len(cases)} images."
    )
