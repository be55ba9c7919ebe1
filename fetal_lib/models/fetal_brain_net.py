"""A small 3D U-Net that tells the tissues of a fetal brain, whatever the contrast of the scan.

The encoder halves the grid four times; a light decoder of 1³ convolutions with skips gives the
tissues at a quarter of the input's grid, where a voxel holds shares of several. No paper's own;
with the channels below it has 0.9 million parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

CHANNELS = (16, 32, 64, 128)
N_TISSUES = 4  # outside, CSF, gray matter, white matter and the rest


def convolved(n_in: int, n_out: int, stride: int = 1, side: int = 3) -> nn.Sequential:
    """Return a convolution, its normalisation over each volume, and a leaky ReLU."""
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, side, stride, side // 2, bias=False),
        nn.InstanceNorm3d(n_out, affine=True),
        nn.LeakyReLU(0.1, inplace=True),
    )


class FetalBrainNet(nn.Module):
    """Encoder, and a decoder that ends at a quarter of the input's grid."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        pairs = list(zip((1, *channels[:-1]), channels, strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(convolved(a, b, 2), convolved(b, b)) for a, b in pairs
        )
        self.up = nn.ModuleList(
            convolved(b + a, a, side=1) for a, b in zip(channels[1:-1], channels[2:], strict=True)
        )
        self.tissues = nn.Conv3d(channels[1], N_TISSUES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return tissue logits (B, 4, S/4, S/4, S/4) of x (B, 1, S, S, S)."""
        maps = []
        for stage in self.down:
            x = stage(x)  # (B, C, S/2^k, ...)
            maps.append(x)
        for stage, skip in zip(reversed(self.up), reversed(maps[1:-1]), strict=True):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = stage(torch.cat([x, skip], 1))
        return self.tissues(x)


class Joined(nn.Module):
    """Several networks with one output: how much of each place is brain, (B, S/4, S/4, S/4)."""

    def __init__(self, networks: Sequence[FetalBrainNet]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one less the mean probability of the outside."""
        return 1 - torch.stack([network(x).softmax(1)[:, 0] for network in self.networks]).mean(0)


def networks_to_onnx(networks: Sequence[FetalBrainNet], side: int) -> bytes:
    """Export networks joined as one, for volumes of (side, side, side); weights in 16 bits."""
    import io

    import onnx

    from fetal_lib.models.keras_onnx import halve_weights

    file = io.BytesIO()
    example = torch.zeros(1, 1, side, side, side)
    names = {"input_names": ["volume"], "output_names": ["brain"]}
    free = {"dynamic_axes": {"volume": {0: "batch"}, "brain": {0: "batch"}}}
    torch.onnx.export(Joined(networks).eval(), example, file, dynamo=False, **names, **free)
    exported = onnx.load_from_string(file.getvalue())
    halve_weights(exported)
    onnx.checker.check_model(exported)
    return exported.SerializeToString()
