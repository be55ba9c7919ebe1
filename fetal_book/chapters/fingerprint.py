"""What a fit depends on: a hash of the table of its cases and of their arrays."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def hash_cases(table: pd.DataFrame, *arrays: np.ndarray) -> str:
    """Return a hash of the columns of a table and of arrays, their shapes included."""
    digest = hashlib.sha256(table.to_csv(index=False).encode())
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
