"""The cases of an audit: columns checked once, read by name ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FILE_ORDER = "file order"
MANY_KINDS = 20


@dataclass(frozen=True)
class Cases:
    """The columns that the audit works on, each of length N; None where none was named.

    Attributes
    ----------
    name, group : ndarray of str
    label : ndarray
    part, source : ndarray of str, or None
    label_name : str
    """

    name: np.ndarray
    label: np.ndarray
    group: np.ndarray
    part: np.ndarray | None
    source: np.ndarray | None
    label_name: str

    def __len__(self) -> int:
        return len(self.name)

    @property
    def held_out(self) -> np.ndarray:
        """Bool (N,): not in ``train``, or not in the largest part where none is called so."""
        if self.part is None:
            return np.ones(len(self), bool)
        names, counts = np.unique(self.part, return_counts=True)
        fitted = "train" if "train" in names else names[counts.argmax()]
        return self.part != fitted


def read_columns(
    cases: pd.DataFrame,
    name: str,
    label: str,
    group: str,
    part: str | None,
    source: str | None,
    others: Sequence[str] = (),
) -> Cases:
    """Take the named columns, or say all that is wrong with them.

    Raises
    ------
    ValueError
        If columns are missing, hold empty cells, or a name stands twice.
    """
    wanted = [c for c in (name, label, group, part, source, *others) if c is not None]
    missing = [c for c in dict.fromkeys(wanted) if c not in cases.columns]
    if missing:
        raise ValueError(
            f"cases: column(s) {missing} are missing; found {list(cases.columns)}. Name columns "
            "that are there, or None for a part or source that is not known."
        )
    empty = {c: int(cases[c].isna().sum()) for c in wanted[: len(wanted) - len(others)]}
    empty = {c: n for c, n in empty.items() if n}
    if empty or len(cases) == 0:
        raise ValueError(
            f"cases: {len(cases)} rows, empty cells {empty}; every case needs all of these. "
            "Leave those cases out."
        )
    doubled = cases.loc[cases[name].duplicated(), name].astype(str).tolist()
    if doubled:
        raise ValueError(
            f"cases: {len(doubled)} name(s) in {name!r} stand twice: {doubled[:10]}; give each "
            "image its own name, with its folder if need be."
        )
    texts = [None if c is None else _text(cases[c]) for c in (name, group, part, source)]
    return Cases(texts[0], _label(cases[label]), texts[1], texts[2], texts[3], label)


def _text(column: pd.Series) -> np.ndarray:
    return column.astype(str).to_numpy().astype(str)


def _label(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    return values if values.dtype.kind in "fiu" else _text(column)


def clue_columns(column: pd.Series) -> np.ndarray:
    """Return a column as numbers (N, K): itself, 0/1 per kind, or the rank of its sorted text.

    Text of up to 20 kinds gives one column each, of more one column of ranks.
    """
    if column.dtype.kind in "fiub":
        return column.to_numpy(float, na_value=np.nan)[:, None]
    kinds, kind = np.unique(_text(column), return_inverse=True)
    if len(kinds) > MANY_KINDS:
        return kind.astype(float)[:, None]
    return (kind[:, None] == np.arange(len(kinds))[None]).astype(float)


def order_column(cases: pd.DataFrame, order: str) -> np.ndarray:
    """Return each case's place in the list, or in the sorted values of a column."""
    if order == FILE_ORDER:
        return np.arange(len(cases), dtype=float)
    column = cases[order]
    if column.dtype.kind in "fiu":
        return column.to_numpy(float)
    return np.unique(_text(column), return_inverse=True)[1].astype(float)
