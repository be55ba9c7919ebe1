"""UNeXt: a small U-Net whose two deepest levels are tokenised MLPs on shifted channels.

Channels are cut in five groups, and the groups moved by -2 to +2 pixels along one axis, so that
a linear layer over channels sees a neighbourhood. There is no attention and no code of position.
Skips are added. At 16 to 256 channels it has 1,471,921 parameters with RGB images, at 8 to 128
channels (UNeXt-S) 253,561.

References
----------
Valanarasu JMJ, Patel VM. UNeXt: MLP-based rapid medical image segmentation network. MICCAI 2022.
doi:10.1007/978-3-031-16443-9_3
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from fetal_lib.models.image_batch import check_image_batch, scaled

WIDTHS = (16, 32, 128, 160, 256)
WIDTHS_SMALL = (8, 16, 32, 64, 128)
SIZE_MULTIPLE = 32
N_GROUPS = 5
HEIGHT_AXIS, WIDTH_AXIS = 2, 3


def shift(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Move five groups of channels by -2, -1, 0, 1, 2 pixels along an axis; zeros move in.

    Parameters
    ----------
    x : Tensor (B, C, H, W)
    axis : int
        2 moves along the height, 3 along the width.

    Returns
    -------
    Tensor (B, C, H, W)

    Examples
    --------
    >>> shift(torch.arange(1.0, 4).expand(1, 5, 1, 3), 3)[0, :, 0].int().tolist()
    [[3, 0, 0], [2, 3, 0], [1, 2, 3], [0, 1, 2], [0, 0, 1]]
    """
    reach = N_GROUPS // 2
    height, width = x.shape[HEIGHT_AXIS:]
    groups = F.pad(x, (reach,) * 4).chunk(N_GROUPS, dim=1)
    moves = range(-reach, reach + 1)
    moved = [torch.roll(g, m, axis) for g, m in zip(groups, moves, strict=False)]
    return torch.cat(moved, 1)[:, :, reach : reach + height, reach : reach + width]


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """Turn (B, C, H, W) into (B, H, W, C), for layers over channels."""
    return x.permute(0, 2, 3, 1)


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """Turn (B, H, W, C) into (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of every pixel of (B, C, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return channels_first(super().forward(channels_last(x)))


class ShiftedMlp(nn.Module):
    """Residual block: shift by rows, linear, depthwise 3x3, GELU, shift by columns, linear."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(n)
        self.linear_1 = nn.Linear(n, n)
        self.depthwise = nn.Conv2d(n, n, 3, padding=1, groups=n)
        self.linear_2 = nn.Linear(n, n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = shift(self.norm(x), HEIGHT_AXIS)  # (B, n, H, W)
        y = channels_first(self.linear_1(channels_last(y)))
        y = shift(F.gelu(self.depthwise(y)), WIDTH_AXIS)
        return x + channels_first(self.linear_2(channels_last(y)))


class TokenStage(nn.Module):
    """Overlapping patches of stride 2, a shifted MLP, and the norms around it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1)
        self.embed_norm = ChannelNorm(n_out)
        self.block = ShiftedMlp(n_out)
        self.norm = ChannelNorm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.block(self.embed_norm(self.embed(x))))  # (B, n_out, H/2, W/2)


class UpStage(nn.Module):
    """3x3 convolution, normalisation, doubling by interpolation, ReLU."""

    def __init__(self, n_in: int, n_out: int, normalised: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out) if normalised else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        return torch.relu(F.interpolate(x, scale_factor=2, mode="bilinear"))  # (B, n_out, 2H, 2W)


class UNeXt(nn.Module):
    """Three convolutional levels, two tokenised ones, and back."""

    def __init__(self, widths: tuple[int, ...], in_channels: int, n_classes: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        w1, w2, w3, w4, w5 = widths
        pairs = ((in_channels, w1), (w1, w2), (w2, w3))
        self.conv = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.MaxPool2d(2), nn.ReLU()
            )
            for a, b in pairs
        )
        self.tokens = nn.ModuleList([TokenStage(w3, w4), TokenStage(w4, w5)])
        self.up = nn.ModuleList(
            [UpStage(w5, w4), UpStage(w4, w3), UpStage(w3, w2), UpStage(w2, w1)]
        )
        self.mix = nn.ModuleList(nn.Sequential(ShiftedMlp(n), ChannelNorm(n)) for n in (w4, w3))
        self.last_up = UpStage(w1, w1, normalised=False)
        self.head = nn.Conv2d(w1, n_classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        check_image_batch(image.shape, "UNeXt", self.in_channels, SIZE_MULTIPLE)
        x, skips = image, []
        for stage in (*self.conv, *self.tokens):
            x = stage(x)  # (B, w_k, H/2^k, W/2^k), k from 1 to 5
            skips.append(x)
        for k, up in enumerate(self.up):
            x = up(x) + skips[3 - k]  # (B, w_(4-k), H/2^(4-k), W/2^(4-k))
            if k < len(self.mix):
                x = self.mix[k](x)
        return self.head(self.last_up(x))  # (B, n_classes, H, W)


def get_unext(
    in_channels: int = 3, n_classes: int = 1, width: float = 1.0, small: bool = False
) -> UNeXt:
    """Build UNeXt, or UNeXt-S.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_classes : int
        Channels of the output.
    width : float
        Factor of all channels; 1 is the published network.
    small : bool
        The widths of UNeXt-S.

    Returns
    -------
    UNeXt
        float32 (B, in_channels, H, W) to logits (B, n_classes, H, W); sides are multiples of 32.

    Examples
    --------
    >>> networks = get_unext(), get_unext(small=True)
    >>> [sum(p.numel() for p in network.parameters()) for network in networks]
    [1471921, 253561]
    """
    widths = WIDTHS_SMALL if small else WIDTHS
    return UNeXt(tuple(scaled(n, width) for n in widths), in_channels, n_classes)
