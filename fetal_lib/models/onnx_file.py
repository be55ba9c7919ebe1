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
MIRRORS = ((3,), (2,), (2, 3))
"""Axes of (B, 1, H, W) that each mirrored view reverses."""


def write_onnx(
    network: nn.Module, shape: Sequence[int], path: str | Path, mirrors: bool = True
) -> None:
    """Write a PyTorch network of grey images as ONNX: any number of images to probabilities.

    The file's network looks at each image and, with mirrors, at its mirror images, left to right,
    upside down and both, and gives the mean of the four.

    Parameters
    ----------
    network : torch.nn.Module
        Image (B, 1, H, W) to logits (B, C, h, w), of which the file has the sigmoid.
    shape : (height, width) of the images.
    path : path
    mirrors : bool
    """
    import onnx
    import torch

    turned = MIRRORS if mirrors else ()

    class Mirrored(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            n = 1 + len(turned)
            views = torch.cat([image, *(image.flip(axes) for axes in turned)], 1)
            probs = torch.sigmoid(self.network(views.reshape(-1, 1, *shape)))  # (n B, C, h, w)
            first, *others = probs.reshape(-1, n, *probs.shape[1:]).unbind(1)  # (B, C, h, w) each
            pairs = zip(others, turned, strict=True)
            return (first + sum(view.flip(axes) for view, axes in pairs)) / n

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


def cut_behind(content: bytes, operator: str) -> bytes:
    """Return a network whose output is that of the last layer with an operator, none behind it.

    Raises
    ------
    ValueError
        If no layer has it.
    """
    import onnx

    model = onnx.load_from_string(content)
    places = [at for at, node in enumerate(model.graph.node) if node.op_type == operator]
    if not places:
        raise ValueError(f"network: no {operator} in it.")
    name = model.graph.node[places[-1]].output[0]
    del model.graph.node[places[-1] + 1 :]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    return model.SerializeToString()


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
