"""Export a Keras network to ONNX, with its large arrays in 16 bits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.errors import UserError
from fetal_lib.models.onnx_file import halve_weights

if TYPE_CHECKING:
    import keras


def network_to_onnx(network: keras.Model) -> bytes:
    """Export a network that takes (B, H, W, 1) grey in [0, 1].

    Arrays of at least ``HALF_FROM`` numbers are kept as float16, as in the model's own folder,
    and widened when a session is opened.
    """
    try:
        import keras
        import onnx
        import tf2onnx  # noqa: F401  Keras imports it, and says little where it is missing
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed. Install it with pip install 'fetal-lib[keras,app]'."
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"Keras runs on {keras.backend.backend()}, and its export to ONNX needs TensorFlow. "
            "Unset KERAS_BACKEND."
        )
    signature = [keras.InputSpec(shape=network.input_shape, dtype="float32", name="image")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        network.export(path, format="onnx", input_signature=signature, verbose=False)
        exported = onnx.load(path)
    halve_weights(exported)
    onnx.checker.check_model(exported)
    return exported.SerializeToString()
