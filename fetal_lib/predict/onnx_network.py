"""A network of images or volumes in an ONNX file, run by ONNX Runtime: no framework is loaded."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FILE = "network.onnx"
"""Name of the network in a model's folder."""


class _OnnxFile(ABC):
    """A network in an ONNX file that has one input of float32, of a shape that `fits` it."""

    takes = ""

    def __init__(self, source: str | Path | bytes, n_threads: int = 0) -> None:
        self.content = source if isinstance(source, bytes) else _read(Path(source))
        self._session = _session(self.content, n_threads)
        (first,) = self._session.get_inputs()
        self._name, self._input = first.name, list(first.shape)
        if first.type != "tensor(float)" or not self.fits(self._input):
            raise ValueError(
                f"network: it takes {first.type} {self._input}; it must take {self.takes}."
            )

    @staticmethod
    @abstractmethod
    def fits(shape: list[int | str]) -> bool:
        """Say whether an input of this shape is taken."""

    def _run(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run(None, {self._name: batch})[0]


class OnnxNetwork(_OnnxFile):
    """A network that takes grey images.

    Parameters
    ----------
    source : path or bytes
        Of an ONNX file whose one input takes float32 (N, 1, H, W) or (N, H, W, 1).
    n_threads : int
        0 takes ``OMP_NUM_THREADS`` where it is set, else the cores that this process may use.

    Raises
    ------
    ValueError
        If there is no such file, or it holds no such network.

    Attributes
    ----------
    content : bytes
        Of the file, to be written again.
    shape : (height, width) of the images.
    """

    takes = "grey images, float32 (N, 1, H, W) or (N, H, W, 1)"

    def __init__(self, source: str | Path | bytes, n_threads: int = 0) -> None:
        super().__init__(source, n_threads)
        self._axis = 1 if self._input[1] == 1 else 3
        height, width = (int(self._input[axis]) for axis in (1, 2, 3) if axis != self._axis)
        self.shape: tuple[int, int] = (height, width)

    @staticmethod
    def fits(shape: list[int | str]) -> bool:
        """Say whether an input of this shape is one of grey images."""
        return len(shape) == 4 and 1 in (shape[1], shape[3])

    def forward(self, images: np.ndarray, batch_size: int = 4) -> np.ndarray:
        """Return the first output (N, ...), float32, of images (N, H, W), uint8 or in [0, 1].

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        if images.ndim != 3 or images.shape[1:] != self.shape or not len(images):
            raise ValueError(f"images: shape {images.shape}; it must be (N >= 1, {self.shape}).")
        scale = np.float32(1 / 255 if images.dtype == np.uint8 else 1)
        starts = range(0, len(images), batch_size)
        batches = (np.expand_dims(images[i : i + batch_size] * scale, self._axis) for i in starts)
        return np.concatenate([self._run(one) for one in batches])


class OnnxVolumeNetwork(_OnnxFile):
    """A network that takes volumes; parameters, errors and ``content`` as of `OnnxNetwork`.

    ``source`` holds one whose one input takes float32 (N, 1, S, S, S).
    """

    takes = "volumes, float32 (N, 1, S, S, S)"

    @staticmethod
    def fits(shape: list[int | str]) -> bool:
        """Say whether an input of this shape is one of volumes."""
        return len(shape) == 5 and shape[1] == 1

    def forward(self, volume: np.ndarray) -> np.ndarray:
        """Return the first output, float32, for one volume (S, S, S)."""
        batch = np.ascontiguousarray(volume[None, None], np.float32)
        return self._run(batch)[0]


def _session(content: bytes, n_threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or _usable_cores()
    options.log_severity_level = 4
    # Threads that wait in a loop take a third of the time of those that read and measure.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own errors share no public class
        message = str(error).splitlines()[0]
        raise ValueError(f"network: damaged, or no network ({message}).") from None


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"network: no file {path.name} in {path.parent}; name a model folder.")
    return path.read_bytes()


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    named = os.environ.get("OMP_NUM_THREADS", "")
    return int(named) if named.isdigit() else len(affinity(0)) if affinity else os.cpu_count() or 1
