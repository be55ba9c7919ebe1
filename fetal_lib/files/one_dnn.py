"""Let TensorFlow compute by oneDNN on every x86 processor.

By itself it does so where a processor has AVX512-VNNI or newer instructions for networks, and
takes kernels of its own on the others: there a training step of chapter 02's networks took 1.4 to
2.2 times as long (`make bench`, where the processor is such a one).
"""

from __future__ import annotations

import os
import platform

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


def choose_one_dnn() -> None:
    """Ask for oneDNN in the environment that TensorFlow reads when it is loaded.

    What the user set stays. Other processors than x86 choose for themselves.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault(VARIABLE, "1")
