"""Three stages of ResNet-50 with weight standardisation and group normalisation.

The encoder of TransUNet. Its authors call it pre-activated; in their code, as here, activations
come after the normalisations and after the sum. The pooling after the stem has no padding, so
that 112 pixels become 55; the skip at a quarter of the size is filled up with zeros at the right
and at the bottom.

References
----------
Kolesnikov A et al. Big Transfer (BiT): general visual representation learning. ECCV 2020.
doi:10.1007/978-3-030-58558-7_29
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

N_UNITS = (3, 4, 9)
EPSILON = 1e-6
STANDARD_EPSILON = 1e-5


def group_norm(n: int) -> nn.GroupNorm:
    """Return group normalisation in 32 groups, or fewer of 2 channels where a layer is narrow."""
    return nn.GroupNorm(math.gcd(max(1, n // 2), 32), n, eps=EPSILON)


class StandardConv2d(nn.Conv2d):
    """Convolution without bias whose kernels have mean 0 and variance 1."""

    def __init__(self, n_in: int, n_out: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel_size, stride, kernel_size // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        kernel = (self.weight - mean) / torch.sqrt(variance + STANDARD_EPSILON)
        return F.conv2d(x, kernel, None, self.stride, self.padding)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, and a shortcut that is projected where the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        n_mid = n_out // 4
        self.body = nn.Sequential(
            StandardConv2d(n_in, n_mid, 1),
            group_norm(n_mid),
            nn.ReLU(),
            StandardConv2d(n_mid, n_mid, 3, stride),
            group_norm(n_mid),
            nn.ReLU(),
            StandardConv2d(n_mid, n_out, 1),
            group_norm(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            project = StandardConv2d(n_in, n_out, 1, stride)
            self.shortcut = nn.Sequential(project, nn.GroupNorm(n_out, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))  # (B, n_out, H/stride, W/stride)


class ResNetV2(nn.Module):
    """Stem and three stages: 64, 256, 512 and 1024 channels at 1/2, 1/4, 1/8 and 1/16.

    Parameters
    ----------
    n : int
        Channels of the stem, a multiple of 4; the stages have 4, 8 and 16 times as many.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(StandardConv2d(3, n, 7, stride=2), group_norm(n), nn.ReLU())
        self.pool = nn.MaxPool2d(3, stride=2)
        inputs, outputs = (n, 4 * n, 8 * n), (4 * n, 8 * n, 16 * n)
        stages = zip(inputs, outputs, N_UNITS, (1, 2, 2), strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(Bottleneck(a, b, stride), *(Bottleneck(b, b) for _ in range(n_units - 1)))
            for a, b, n_units, stride in stages
        )

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the deepest map (B, 16 n, S/16, S/16) and the skips at 1/2, 1/4 and 1/8."""
        side = image.shape[-1]
        x = self.stem(image)  # (B, n, S/2, S/2)
        skips = [x]
        x = self.pool(x)  # (B, n, S/4 - 1, S/4 - 1)
        for factor, stage in zip((4, 8), self.stages, strict=False):
            x = stage(x)  # (B, factor n, S/factor (- 1 at 1/4), the same)
            lack = side // factor - x.shape[-1]
            skips.append(F.pad(x, (0, lack, 0, lack)))
        return self.stages[-1](x), skips
