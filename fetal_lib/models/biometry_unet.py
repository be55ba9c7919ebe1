"""A small U-Net for biometry on a processor: maps at half the size of the image, five levels.

A first convolution with stride 2 brings the image to half its size, where nearly all U-Nets spend
most of their time at full size; the outlines that are fitted to its maps are found between the
pixels all the same. The widest levels are capped, so that the weights stay near three megabytes in
half precision. Decoders repeat pixels, without weights, before they look at the skip. With the six
channels of three planes it has 1,546,302 parameters.

References
----------
Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image
segmentation. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from fetal_lib.models.attention_unet import double_conv
from fetal_lib.models.image_batch import check_image_batch

WIDTHS = (24, 48, 96, 128, 128)
"""Channels of the levels, finest first; the finest is at half the image's size."""
STRIDE = 2
"""Pixels of the image to one of the maps."""


class BiometryUNet(nn.Module):
    """Grey image (B, 1, H, W) to logits (B, n_classes, H / 2, W / 2); sides are multiples of 32.

    Parameters
    ----------
    n_classes : int
    widths : sequence of int
        Channels of the levels, finest first.

    Examples
    --------
    >>> tuple(BiometryUNet(6)(torch.zeros(1, 1, 64, 96)).shape)
    (1, 6, 32, 48)
    """

    def __init__(self, n_classes: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        first = widths[0]
        self.multiple = STRIDE * 2 ** (len(widths) - 1)
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 4, stride=STRIDE, padding=1), nn.BatchNorm2d(first), nn.ReLU()
        )
        pairs = list(zip([first, *widths[:-1]], widths, strict=True))
        self.encoder = nn.ModuleList(double_conv(*pair) for pair in pairs)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        below = zip(widths[:-1], widths[1:], strict=True)
        self.decoder = nn.ModuleList(double_conv(n + deeper, n) for n, deeper in below)
        self.head = nn.Conv2d(first, n_classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        check_image_batch(image.shape, "biometry U-Net", 1, self.multiple)
        x, skips = self.stem(image), []  # (B, F0, H/2, W/2)
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else self.pool(x))  # (B, Fl, H/2^(l+1), W/2^(l+1))
            skips.append(x)
        for level in reversed(range(len(self.decoder))):
            x = self.decoder[level](torch.cat([skips[level], self.up(x)], dim=1))
        return self.head(x)  # (B, n_classes, H/2, W/2)
