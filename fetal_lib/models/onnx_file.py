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

    The file's network looks at each image and at its mirror image, left to right, and gives the
    mean of both.

    Parameters
    ----------
    network : torch.nn.Module
        Image (B, 1, H, W) to logits (B, C, h, w), of which the file has the sigmoid.
    shape : (height, width) of the images.
    path : path
    """
    import onnx
    import torch

    class Mirrored(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            both = torch.cat([image, image.flip(3)], 1).reshape(-1, 1, *shape)  # (2 B, 1, H, W)
            probs = torch.sigmoid(self.network(both))  # (2 B, C, h, w)
            views = probs.reshape(-1, 2, *probs.shape[1:])  # (B, 2, C, h, w)
            return (views[:, 0] + views[:, 1].flip(3)) / 2

    whole = Mirrored().eval().to(memory_format=torch.contiguous_format)
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
