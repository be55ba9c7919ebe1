"""3D ResUNet for tissue segmentation, as source 004 wires it.

The encoder-decoder of Çiçek et al. with zero padding, batch normalisation, and in every block a
bias-free 1 x 1 x 1 projection of the block's input that is added **after** the last ReLU; no ReLU
follows the sum, so features may be negative. At its published setting (32 to 512 channels, four
classes) it has 24,322,148 parameters.

What differs from the source's README: it describes 2 x 2 x 2 poolings, but its code pools
(1, 2, 2), so the first axis is never reduced. Both are here: `pooling=(1, 2, 2)` is the code,
`pooling=(2, 2, 2)` the README, which takes a sixth of the multiplications at 64³ and has larger
kernels on the way up, hence more parameters.

References
----------
Çiçek Ö et al. 3D U-Net: learning dense volumetric segmentation from sparse annotation. MICCAI
2016. doi:10.1007/978-3-319-46723-8_49
He K et al. Deep residual learning for image recognition. CVPR 2016. doi:10.1109/CVPR.2016.90
"""

from __future__ import annotations

import torch
from torch import nn

from fetal_lib.models.image_batch import nearest_legal_side

N_POOLINGS = 4
POOLINGS = ((1, 2, 2), (2, 2, 2))


def check_volume_size(
    shape: tuple[int, int, int], pooling: tuple[int, int, int] = (1, 2, 2)
) -> None:
    """Refuse a volume (D, H, W), in voxels, that four poolings cannot halve.

    ``pooling`` is the factor of one pooling along each axis.
    """
    for name, side, factor in zip("DHW", shape, pooling, strict=True):
        step = factor**N_POOLINGS
        if side < step or side % step:
            raise ValueError(
                f"{name}={side}: the ResUNet pools this axis {N_POOLINGS} times by {factor}, so it "
                f"must be a positive multiple of {step}; the nearest is "
                f"{nearest_legal_side(side, step)}. Pad or crop."
            )


class ResidualBlock(nn.Module):
    """Two convolutions, and a projection of the input added after the last ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(n_in, n_out, 3, padding=1),
            nn.BatchNorm3d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv3d(n_out, n_out, 3, padding=1),
            nn.BatchNorm3d(n_out),
            nn.ReLU(inplace=True),
        )
        self.projection = nn.Conv3d(n_in, n_out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.projection(x)  # (B, n_out, D, H, W)


class ResUNet3d(nn.Module):
    """The encoder, the decoder and the skips between them."""

    def __init__(
        self, n_classes: int, width: int, pooling: tuple[int, int, int], in_channels: int
    ) -> None:
        super().__init__()
        self.pooling = pooling
        widths = [width * 2**level for level in range(N_POOLINGS + 1)]
        kernel = tuple(2 * p if p > 1 else 1 for p in pooling)
        padding = tuple(p // 2 for p in pooling)
        inputs = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(map(ResidualBlock, inputs, widths))
        self.pool = nn.MaxPool3d(pooling)
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(2 * n, n, kernel, pooling, padding) for n in widths[:-1]
        )
        self.join = nn.ModuleList(ResidualBlock(2 * n, n) for n in widths[:-1])
        self.head = nn.Conv3d(width, n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_volume_size(tuple(x.shape[2:]), self.pooling)
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))  # (B, 2^l F, D', H/2^l, W/2^l)
            skips.append(x)
        for level in reversed(range(N_POOLINGS)):
            x = torch.relu(self.up[level](x))  # (B, 2^l F, D', H/2^l, W/2^l)
            x = self.join[level](torch.cat([x, skips[level]], dim=1))
        return self.head(x)  # (B, n_classes, D, H, W)


def get_res_unet_3d(
    n_classes: int = 4,
    width: int = 32,
    pooling: tuple[int, int, int] = (1, 2, 2),
    in_channels: int = 1,
) -> nn.Module:
    """Build the ResUNet: a volume in, logits of each tissue out.

    Parameters
    ----------
    n_classes : background and tissues.
    width : channels of the first block; doubled at each of four poolings.
    pooling : ``(1, 2, 2)`` as in the source's code, ``(2, 2, 2)`` as in its README.
    in_channels : channels of the volume.

    Returns
    -------
    torch.nn.Module
        float32 (B, in_channels, D, H, W) to logits (B, n_classes, D, H, W); pooled sides are
        multiples of 16.

    Raises
    ------
    ValueError
        If the pooling is neither of the two, or a number is below 1.

    Examples
    --------
    >>> sum(p.numel() for p in get_res_unet_3d().parameters())
    24322148
    """
    pooling = tuple(pooling)
    if pooling not in POOLINGS:
        raise ValueError(f"pooling={pooling}: use one of {POOLINGS}, the source's code or README.")
    for name, value in (("n_classes", n_classes), ("width", width), ("in_channels", in_channels)):
        if value < 1:
            raise ValueError(f"{name}={value}: it must be 1 or more.")
    return ResUNet3d(n_classes, width, pooling, in_channels)
