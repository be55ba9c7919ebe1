"""A small U-Net for stacks of thick slices: sharp in the plane, a glance at the neighbours.

Slices are halved in their plane only, whatever lies between them; the wider convolutions reach
one slice to each side on the first level and on the two coarsest. Normalisation is over the whole
stack, so that any number of slices of any size is taken. No paper's own; with the widths below it
has 347,161 parameters.

References
----------
Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image
segmentation. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image
segmentation. Nat Methods 2021;18:203-211. doi:10.1038/s41592-020-01008-z (anisotropic kernels).
"""

from __future__ import annotations

import torch
from torch import nn

from fetal_lib.models.onnx_file import OPSET, halve_weights

WIDTHS = (8, 16, 32, 64)
DEEP = (True, False, True, True)
"""Levels whose first convolution looks at the slices beside."""
MULTIPLE = 8
"""Slices' sides must be multiples of it."""


def convolved(n_in: int, n_out: int, deep: bool = False) -> nn.Sequential:
    """Return a convolution in the plane, or over three slices, normalised, and a leaky ReLU."""
    depth = 3 if deep else 1
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, (depth, 3, 3), padding=(depth // 2, 1, 1), bias=False),
        nn.InstanceNorm3d(n_out, affine=True),
        nn.LeakyReLU(0.1, inplace=True),
    )


class StackUNet(nn.Module):
    """Stacks (B, 1, N, H, W) to logits of brain of the same shape; H, W multiples of 8.

    Examples
    --------
    >>> tuple(StackUNet()(torch.zeros(1, 1, 3, 16, 24)).shape)
    (1, 1, 3, 16, 24)
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        pairs = zip((1, *widths[:-1]), widths, DEEP, strict=True)
        self.encoder = nn.ModuleList(
            nn.Sequential(convolved(a, b, deep), convolved(b, b)) for a, b, deep in pairs
        )
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.decoder = nn.ModuleList(
            convolved(a + b, a) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.head = nn.Conv3d(widths[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(self.pool(x) if level else x)  # (B, Cl, N, H/2^l, W/2^l)
            skips.append(x)
        for level in reversed(range(len(self.decoder))):
            x = nn.functional.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
            x = self.decoder[level](torch.cat([skips[level], x], 1))
        return self.head(x)  # (B, 1, N, H, W)


def stack_network_to_onnx(network: StackUNet) -> bytes:
    """Export a network with its sigmoid, for stacks of any size; large weights in 16 bits."""
    import io
    import warnings

    import onnx

    file, free = io.BytesIO(), {0: "b", 2: "n", 3: "h", 4: "w"}
    whole = nn.Sequential(network, nn.Sigmoid()).eval().to(memory_format=torch.contiguous_format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called old; the new one needs onnxscript
        torch.onnx.export(
            whole,
            (torch.zeros(1, 1, 5, 32, 32),),
            file,
            opset_version=OPSET,
            input_names=["stack"],
            output_names=["brain"],
            dynamic_axes={"stack": free, "brain": free},
            dynamo=False,
        )
    exported = onnx.load_from_string(file.getvalue())
    halve_weights(exported)
    onnx.checker.check_model(exported)
    return exported.SerializeToString()
