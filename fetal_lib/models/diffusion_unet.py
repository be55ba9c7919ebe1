"""The U-Net that denoises: residual blocks told the time step, attention at one depth.

At base width 128 with multipliers (1, 1, 2, 2, 4, 4), two residual blocks a level going down and
three going up, and attention at 1/16 of the size, it has 113,673,218 parameters for an RGB image
and a mask in, noise and a variance out. The last convolution of each residual and attention block
starts at zero, and so does the head.

References
----------
Ho J, Jain A, Abbeel P. Denoising diffusion probabilistic models. NeurIPS 2020. arXiv:2006.11239
Dhariwal P, Nichol A. Diffusion models beat GANs on image synthesis. NeurIPS 2021.
arXiv:2105.05233
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

MULTIPLIERS = (1, 1, 2, 2, 4, 4)
ATTENTION_AT = 16
N_BLOCKS = 2
LONGEST_PERIOD = 10_000
TensorMap = Callable[[torch.Tensor], torch.Tensor]


def group_norm(n: int) -> nn.GroupNorm:
    """Return group normalisation in 32 groups, or in fewer of 4 channels where a layer is narrow.

    At the published width a group has 4 channels or more; with 1, a 1x1 map would become zero.
    """
    return nn.GroupNorm(math.gcd(max(1, n // 4), 32), n)


def zeroed(layer: nn.Module) -> nn.Module:
    """Set a layer's parameters to zero and return it."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def sinusoids(t: torch.Tensor, n: int) -> torch.Tensor:
    """Describe time steps (B,) by n / 2 cosines and sines of geometrically spaced frequencies.

    >>> sinusoids(torch.tensor([0]), 4).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """
    half = n // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t.float()[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimedResidual(nn.Module):
    """Two normalised 3x3 convolutions; the time step is added between them."""

    def __init__(self, n_in: int, n_out: int, n_time: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body_1 = nn.Sequential(group_norm(n_in), nn.SiLU(), nn.Conv2d(n_in, n_out, 3, 1, 1))
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(n_time, n_out))
        self.body_2 = nn.Sequential(
            group_norm(n_out),
            nn.SiLU(),
            nn.Dropout(dropout),
            zeroed(nn.Conv2d(n_out, n_out, 3, 1, 1)),
        )
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        y = self.body_1(x) + self.time(time)[:, :, None, None]  # (B, n_out, H, W)
        return self.skip(x) + self.body_2(y)


class SpatialAttention(nn.Module):
    """Single-head attention among all pixels of a small map, added to the map."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm = group_norm(n)
        self.qkv = nn.Conv2d(n, 3 * n, 1)
        self.out = zeroed(nn.Conv2d(n, n, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)  # (B, HW, 3 n)
        q, k, v = (part.contiguous() for part in tokens.chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)  # (B, n, HW)
        return x + self.out(mixed.unflatten(2, x.shape[2:]))


class TimedStage(nn.Module):
    """A residual block and, at one depth, attention after it."""

    def __init__(self, n_in: int, n_out: int, n_time: int, attention: bool) -> None:
        super().__init__()
        self.residual = TimedResidual(n_in, n_out, n_time)
        self.attention = SpatialAttention(n_out) if attention else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return self.attention(self.residual(x, time))  # (B, n_out, H, W)


class Halving(nn.Conv2d):
    """3x3 convolution of stride 2."""

    def __init__(self, n: int) -> None:
        super().__init__(n, n, 3, stride=2, padding=1)


class Doubling(nn.Sequential):
    """Doubling by repetition and a 3x3 convolution."""

    def __init__(self, n: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(n, n, 3, 1, 1))


class DenoisingUNet(nn.Module):
    """Denoise one step, with two places where a condition may act.

    Parameters
    ----------
    n_in, n_out : int
        Channels in and out.
    base : int
        Channels at full size, even.
    multipliers : sequence of int
        Channels of each level in units of ``base``; each level halves the size.
    attention_at : int
        The factor of reduction at which there is attention.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        base: int = 128,
        multipliers: tuple[int, ...] = MULTIPLIERS,
        attention_at: int = ATTENTION_AT,
    ) -> None:
        super().__init__()
        self.base = base
        n_time = 4 * base
        widths = [base * m for m in multipliers]
        attends = [2**level == attention_at for level in range(len(widths))]
        self.time = nn.Sequential(nn.Linear(base, n_time), nn.SiLU(), nn.Linear(n_time, n_time))
        self.first = nn.Conv2d(n_in, base, 3, padding=1)
        self.down, kept = self._encoder(widths, n_time, attends)
        self.middle_1 = TimedStage(widths[-1], widths[-1], n_time, attention=True)
        self.middle_2 = TimedStage(widths[-1], widths[-1], n_time, attention=False)
        self.up = self._decoder(widths, kept, n_time, attends)
        last = zeroed(nn.Conv2d(base, n_out, 3, padding=1))
        self.head = nn.Sequential(group_norm(base), nn.SiLU(), last)

    @staticmethod
    def _encoder(
        widths: list[int], n_time: int, attends: list[bool]
    ) -> tuple[nn.ModuleList, list[int]]:
        """Return the stages going down, and the channels of all maps that are kept for skips."""
        stages, kept = nn.ModuleList(), [widths[0]]
        for level, n in enumerate(widths):
            if level:
                stages.append(Halving(kept[-1]))
                kept.append(kept[-1])
            for _ in range(N_BLOCKS):
                stages.append(TimedStage(kept[-1], n, n_time, attends[level]))
                kept.append(n)
        return stages, kept

    @staticmethod
    def _decoder(
        widths: list[int], kept: list[int], n_time: int, attends: list[bool]
    ) -> nn.ModuleList:
        stages, n, kept = nn.ModuleList(), widths[-1], list(kept)
        for level in reversed(range(len(widths))):
            for _ in range(N_BLOCKS + 1):
                stages.append(TimedStage(n + kept.pop(), widths[level], n_time, attends[level]))
                n = widths[level]
            if level:
                stages.append(Doubling(n))
        return stages

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        at_first: TensorMap | None = None,
        at_bottom: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return (B, n_out, H, W) of the noisy (B, n_in, H, W) at the steps t (B,).

        ``at_first`` changes the first map (B, base, H, W); ``at_bottom`` the deepest one, given
        the description of the time step (B, 4 base), too.
        """
        time = self.time(sinusoids(t, self.base).to(x.dtype))  # (B, 4 base)
        x = self.first(x)  # (B, base, H, W)
        x = x if at_first is None else at_first(x)
        kept = [x]
        for stage in self.down:
            x = stage(x) if isinstance(stage, Halving) else stage(x, time)
            kept.append(x)  # (B, m_l base, H/2^l, W/2^l)
        x = self.middle_1(x, time)
        x = x if at_bottom is None else at_bottom(x, time)
        x = self.middle_2(x, time)
        for stage in self.up:
            if isinstance(stage, Doubling):
                x = stage(x)
            else:
                x = stage(torch.cat([x, kept.pop()], dim=1), time)  # (B, m_l base, H/2^l, W/2^l)
        return self.head(x)  # (B, n_out, H, W)
