"""3D ResNeXt-50 for regression, as source 004 takes it from the video networks of Hara et al.

Stages of 3, 4, 6 and 3 bottlenecks with grouped convolutions (cardinality 32) and expansion 2.
The source's stem has 128 channels, stride (1, 2, 2), and no max-pooling, so the first axis stays
whole until the second stage. At its published setting it has 25,870,465 parameters.

What differs: `width` narrows all stages and `blocks` shortens them, for runs without a GPU.

References
----------
Xie S et al. Aggregated residual transformations for deep neural networks. CVPR 2017.
doi:10.1109/CVPR.2017.634
Hara K, Kataoka H, Satoh Y. Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and
ImageNet? CVPR 2018. doi:10.1109/CVPR.2018.00685
"""

from __future__ import annotations

import torch
from torch import nn

EXPANSION = 2
BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """1³ convolution, grouped 3³ convolution, 1³ convolution, and the shortcut."""

    def __init__(self, n_in: int, planes: int, cardinality: int, stride: int) -> None:
        super().__init__()
        n_out = planes * EXPANSION
        self.body = nn.Sequential(
            nn.Conv3d(n_in, planes, 1, bias=False),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
            nn.Conv3d(planes, planes, 3, stride, 1, groups=cardinality, bias=False),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
            nn.Conv3d(planes, n_out, 1, bias=False),
            nn.BatchNorm3d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            projection = nn.Conv3d(n_in, n_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm3d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))  # (B, 2 planes, D/s, H/s, W/s)


class ResNeXt3d(nn.Module):
    """Stem, four stages, global average, one linear layer."""

    def __init__(
        self,
        width: int,
        cardinality: int,
        blocks: tuple[int, int, int, int],
        in_channels: int,
        n_outputs: int,
        stem_stride: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(in_channels, width, 7, stem_stride, 3, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        stages, n_in = [], width
        for stage, n_blocks in enumerate(blocks):
            planes = width * 2**stage
            for i in range(n_blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                stages.append(Bottleneck(n_in, planes, cardinality, stride))
                n_in = planes * EXPANSION
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(n_in, n_outputs)
        nn.init.zeros_(self.head.bias)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last maps, (B, 16 width, D/8, H/16, W/16) at the published strides."""
        return self.stages(self.stem(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.features(x)).flatten(1))  # (B, n_outputs)


def get_res_next_3d(
    width: int = 128,
    cardinality: int = 32,
    blocks: tuple[int, int, int, int] = BLOCKS,
    in_channels: int = 1,
    n_outputs: int = 1,
    stem_stride: tuple[int, int, int] = (1, 2, 2),
) -> nn.Module:
    """Build the ResNeXt: a volume in, numbers out.

    Parameters
    ----------
    width : channels of the stem and of the first stage's grouped convolutions; a multiple of
        the cardinality.
    cardinality : groups of the grouped convolutions.
    blocks : bottlenecks of the four stages.
    in_channels, n_outputs : channels of the volume, and numbers that come out.
    stem_stride : of the first convolution; the source's keeps the first axis whole.

    Returns
    -------
    torch.nn.Module
        float32 (B, in_channels, D, H, W) to (B, n_outputs).

    Raises
    ------
    ValueError
        If the width is no multiple of the cardinality.

    Examples
    --------
    >>> sum(p.numel() for p in get_res_next_3d().parameters())
    25870465
    """
    if cardinality < 1 or width < cardinality or width % cardinality:
        raise ValueError(
            f"width={width}: it must be a multiple of cardinality={cardinality}; each group of "
            "channels has the same size. Use a smaller cardinality or a multiple of it."
        )
    if len(blocks) != 4 or min(blocks) < 1:
        raise ValueError(f"blocks={blocks}: four numbers of 1 or more, one a stage; as {BLOCKS}.")
    return ResNeXt3d(width, cardinality, blocks, in_channels, n_outputs, stem_stride)
