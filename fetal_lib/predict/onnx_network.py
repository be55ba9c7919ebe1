"""A shipped network in ONNX, run by ONNX Runtime: it answers in a second, without its framework."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

FILE = "network.onnx"
"""Name of the network in a model's folder."""


class OnnxNetwork:
    """A network that takes one array and gives one.

    Parameters
    ----------
    content : bytes
        Of an ONNX file.
    threads : int, optional
        Cores for one call; without it those that this process may use.

    Raises
    ------
    ValueError
        If the bytes are no network.

    Attributes
    ----------
    content : bytes
        As it was given, to be written again.
    """

    def __init__(self, content: bytes, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _usable_cores()
        options.log_severity_level = 3
        self.content = content
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own classes share nothing nearer
            raise ValueError(f"{FILE}: no network that ONNX Runtime reads ({error})") from error
        (self._input,) = (one.name for one in self._session.get_inputs())

    @classmethod
    def read(cls, folder: Path, threads: int | None = None) -> OnnxNetwork:
        """Read ``network.onnx`` in a model's folder; a missing one is an OSError."""
        return cls((folder / FILE).read_bytes(), threads)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return the network's answer to a batch of its input's shape, float32."""
        return self._session.run(None, {self._input: np.ascontiguousarray(batch, np.float32)})[0]


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
