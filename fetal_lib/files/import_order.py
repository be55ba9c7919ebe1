"""Which of two libraries has to be loaded first when one process uses both.

TensorFlow and Triton, which comes with PyTorch's builds for graphics cards, each bring an LLVM of
their own. A process that loads TensorFlow and then Triton ends in a segmentation fault (seen with
TensorFlow 2.21 and Triton 3.7 on Linux); loaded the other way round both work. PyTorch loads
Triton by itself, long after a program has chosen its backend of Keras.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

FIRST, THEN = "triton", "tensorflow"


class _TritonFirst(MetaPathFinder):
    """Load Triton, where it is installed, when TensorFlow is asked for; find nothing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == THEN:
            with suppress(ValueError):  # another thread was here
                sys.meta_path.remove(self)
            if find_spec(FIRST) is not None:
                with suppress(Exception):  # one that cannot be loaded does no harm later
                    __import__(FIRST)
        return None


def load_triton_before_tensorflow() -> None:
    """See to it that an import of TensorFlow is preceded by one of Triton; costs nothing before."""
    loaded = THEN in sys.modules or FIRST in sys.modules
    if not loaded and not any(isinstance(one, _TritonFirst) for one in sys.meta_path):
        sys.meta_path.insert(0, _TritonFirst())
