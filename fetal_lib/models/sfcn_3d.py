"""A light fully convolutional network for brain age, after SFCN.

Peng et al. stack convolution, batch normalisation, 2 x 2 x 2 max-pooling and ReLU five times,
narrow to 64 channels, average, drop, and read the age as the mean of 40 classes. With the
published channels (32, 64, 128, 256, 256, 64) and one input the body is theirs.

What differs: the head is one number and not a distribution, since a few hundred scans leave most
classes of a year empty; `width` narrows it for runs without a GPU; and the number of poolings
follows the size of the volume, so that 32³ works as 160 x 192 x 160 does.

References
----------
Peng H et al. Accurate brain age prediction with lightweight deep neural networks. Med Image Anal
2021;68:101871. doi:10.1016/j.media.2020.101871
"""

from __future__ import annotations

import torch
from torch import nn

CHANNELS = (1, 2, 4, 8, 8)
"""Channels of each pooled block as multiples of the width."""


def pooled(n_in: int, n_out: int) -> nn.Sequential:
    """Return a convolution, its normalisation, a pooling that halves the volume, and a ReLU."""
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, 3, padding=1),
        nn.BatchNorm3d(n_out),
        nn.MaxPool3d(2),
        nn.ReLU(inplace=True),
    )


class Sfcn3d(nn.Module):
    """Pooled blocks, a 1³ block, global average, dropout, one linear layer."""

    def __init__(
        self, width: int, n_blocks: int, in_channels: int, n_outputs: int, dropout: float
    ) -> None:
        super().__init__()
        widths = [in_channels, *(width * factor for factor in CHANNELS[:n_blocks])]
        last = 2 * width
        self.blocks = nn.Sequential(*map(pooled, widths[:-1], widths[1:]))
        self.narrow = nn.Sequential(
            nn.Conv3d(widths[-1], last, 1), nn.BatchNorm3d(last), nn.ReLU(inplace=True)
        )
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(last, n_outputs)
        nn.init.zeros_(self.head.bias)
        self.n_blocks = n_blocks

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last maps, (B, 2 width, D/2^n, H/2^n, W/2^n)."""
        if min(x.shape[2:]) < 2**self.n_blocks:
            raise ValueError(
                f"x: received shape {tuple(x.shape)}; {self.n_blocks} poolings need sides of "
                f"{2**self.n_blocks} voxels or more. Use fewer blocks or larger volumes."
            )
        return self.narrow(self.blocks(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        averaged = self.pool(self.features(x)).flatten(1)  # (B, 2 width)
        return self.head(self.dropout(averaged))  # (B, n_outputs)


def get_sfcn_3d(
    width: int = 32,
    n_blocks: int = 5,
    in_channels: int = 1,
    n_outputs: int = 1,
    dropout: float = 0.5,
) -> nn.Module:
    """Build the network: a volume in, numbers out.

    Parameters
    ----------
    width : channels of the first block; the published width is 32.
    n_blocks : pooled blocks, 1 to 5; each halves the volume.
    in_channels, n_outputs : channels of the volume, and numbers that come out.
    dropout : fraction of the averaged features that is dropped in training.

    Returns
    -------
    torch.nn.Module
        float32 (B, in_channels, D, H, W) to (B, n_outputs).

    Raises
    ------
    ValueError
        If the number of blocks is outside 1 to 5, or a side vanishes in the poolings.

    Examples
    --------
    >>> sum(p.numel() for p in get_sfcn_3d().parameters())
    2950401
    """
    if not 1 <= n_blocks <= len(CHANNELS):
        raise ValueError(f"n_blocks={n_blocks}: it must be 1 to {len(CHANNELS)}.")
    return Sfcn3d(width, n_blocks, in_channels, n_outputs, dropout)
