"""Write networks as ONNX files, with their large arrays in 16 bits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.models.weights import HALF_FROM

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET = 17


def write_onnx(network: nn.Module, shape: Sequence[int], path: str | Path) -> None:
    """Write a PyTorch network of grey images as ONNX: any number of images to probabilities.

    Parameters
    ----------
    network : torch.nn.Module
        Image (B, 1, H, W) to logits (B, C, h, w); the file's network ends in their sigmoid.
    shape : (height, width) of the images.
    path : path
    """
    import onnx
    import torch
    from torch import nn

    whole = nn.Sequential(network, nn.Sigmoid()).eval().to(memory_format=torch.contiguous_format)
    target, batch = io.BytesIO(), {0: "n"}
    names = {"input_names": ["image"], "output_names": ["probs"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called old; the new one needs onnxscript
        torch.onnx.export(
            whole,
            (torch.zeros(1, 1, *shape),),
            target,
            opset_version=OPSET,
            dynamic_axes={"image": batch, "probs": batch},
            dynamo=False,
            **names,
        )
    model = onnx.load_from_string(target.getvalue())
    halve_weights(model)
    onnx.checker.check_model(model)
    Path(path).write_bytes(model.SerializeToString())


def halve_weights(model: onnx.ModelProto) -> None:
    """Keep the large float32 arrays of a network as float16 with a cast, in place."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < HALF_FROM:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
