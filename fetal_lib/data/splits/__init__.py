"""Splits that keep groups whole: by shares, in folds, nested, and written beside the run."""

from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.files import read_split, write_split
from fetal_lib.data.splits.folds import Fold, k_folds, nested_folds
from fetal_lib.data.splits.shares import split_by_class, split_by_group

__all__ = [
    "Fold",
    "assert_disjoint",
    "k_folds",
    "nested_folds",
    "read_split",
    "split_by_class",
    "split_by_group",
    "write_split",
]
