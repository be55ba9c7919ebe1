"""Load Keras for a person at a terminal: what TensorFlow says of itself is kept from them.

TensorFlow writes lines about oneDNN before it reads its own log level, so that no environment
variable keeps them back; the stream of errors is led aside while it is imported.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def import_keras() -> None:
    """Import Keras and its backend without their lines on the terminal; once is enough."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        with _errors_aside():
            import keras  # noqa: F401


@contextmanager
def _errors_aside() -> Iterator[None]:
    """Lead what is written to the stream of errors, by C++ too, into a file that is thrown away."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with tempfile.TemporaryFile() as aside:
            os.dup2(aside.fileno(), 2)
            yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
