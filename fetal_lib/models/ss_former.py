"""SS-Former: cross-attention between two networks' embeddings, filtered in Fourier space.

Queries and keys are taken to Fourier space over the positions of the map, and their affinity is
formed there. A small network, told the time step, gives every frequency of the affinity a weight
in (0, 1): the neural band-pass filter. The weighted affinity is taken back and mixes the values.
Two such blocks mirror each other: the image's embedding asks the noisy mask's, and then the noisy
mask's embedding asks the result.

The authors of MedSegDiff-V2 released no code of this module; this is written after their paper.
Where the paper is silent: the affinity that comes back is scaled and passes a softmax, as in
ordinary attention; the residual goes to the stream that asks; the filter sees real and imaginary
part as two channels. The transform is written as products with cosine and sine matrices. A filter
that is 1 everywhere gives ordinary cross-attention, exactly; a test holds that.

References
----------
Wu J et al. MedSegDiff-V2: diffusion-based medical image segmentation with transformer. AAAI 2024.
doi:10.1609/aaai.v38i6.28418
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

N_FILTER = 16
MLP_FACTOR = 2


def fourier_matrices(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cosine and the sine part of the unitary 2D Fourier transform of a map.

    The map is flattened row by row to N = height * width positions; both are symmetric float32
    (N, N), and the transform is ``cosine - 1j * sine``.

    >>> cosine, sine = fourier_matrices(2, 3)
    >>> torch.allclose(cosine @ cosine + sine @ sine, torch.eye(6), atol=1e-6)
    True
    """
    rows = torch.arange(height).repeat_interleave(width).double()
    columns = torch.arange(width).repeat(height).double()
    turns = torch.outer(rows, rows) / height + torch.outer(columns, columns) / width
    angles = 2 * math.pi * turns
    scale = math.sqrt(height * width)
    return (angles.cos() / scale).float(), (angles.sin() / scale).float()


class BandPassFilter(nn.Module):
    """Weights in (0, 1) for every frequency of an affinity, told the time step."""

    def __init__(self, n_time: int, n: int = N_FILTER) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, n, 3, padding=1)
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(n_time, 2 * n))
        self.last = nn.Conv2d(n, 1, 3, padding=1)

    def forward(self, spectrum: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Turn (B, 2, N, N), real and imaginary, into weights (B, 1, N, N)."""
        scale, move = self.time(time)[:, :, None, None].chunk(2, dim=1)  # (B, n, 1, 1) each
        x = (
            F.instance_norm(self.first(spectrum))
            if spectrum.shape[-1] > 1
            else self.first(spectrum)
        )
        return torch.sigmoid(self.last(F.silu(x * (1 + scale) + move)))


class SpectralAttention(nn.Module):
    """One embedding asks another; their affinity is filtered in Fourier space."""

    def __init__(self, n: int, n_time: int) -> None:
        super().__init__()
        self.norm_asked, self.norm_asking = nn.LayerNorm(n), nn.LayerNorm(n)
        self.query, self.key, self.value = (nn.Linear(n, n, bias=False) for _ in range(3))
        self.out = nn.Linear(n, n)
        self.filter = BandPassFilter(n_time)
        self.mlp = nn.Sequential(
            nn.LayerNorm(n), nn.Linear(n, MLP_FACTOR * n), nn.GELU(), nn.Linear(MLP_FACTOR * n, n)
        )

    def affinity(
        self, q: torch.Tensor, k: torch.Tensor, size: tuple[int, int], time: torch.Tensor
    ) -> torch.Tensor:
        """Return the filtered affinity (B, N, N) of queries and keys (B, N, C)."""
        a, b = (m.to(q) for m in fourier_matrices(*size))
        q_real, q_imag, k_real, k_imag = a @ q, -(b @ q), a @ k, -(b @ k)
        kr, ki = k_real.transpose(1, 2), k_imag.transpose(1, 2)
        real = q_real @ kr + q_imag @ ki  # (B, N, N), of q times the conjugate of k
        imag = q_imag @ kr - q_real @ ki
        spectrum = torch.stack([real, imag], dim=1) / math.sqrt(q.shape[-1])  # (B, 2, N, N)
        real, imag = (spectrum * self.filter(spectrum, time)).unbind(1)
        return (a @ real - b @ imag) @ a + (a @ imag + b @ real) @ b

    def forward(
        self, asking: torch.Tensor, asked: torch.Tensor, time: torch.Tensor
    ) -> torch.Tensor:
        """Return the asking map (B, C, H, W) with what it took from the asked one."""
        size = (int(asking.shape[2]), int(asking.shape[3]))
        stream = asking.flatten(2).transpose(1, 2)  # (B, N, C)
        source = self.norm_asked(asked.flatten(2).transpose(1, 2))
        q, k = self.query(self.norm_asking(stream)), self.key(source)
        weights = self.affinity(q, k, size, time).softmax(dim=-1)  # (B, N, N)
        stream = stream + self.out(weights @ self.value(source))
        stream = stream + self.mlp(stream)
        return stream.transpose(1, 2).unflatten(2, size)  # (B, C, H, W)


class SSFormer(nn.Module):
    """Image asks mask, mask asks the result.

    Parameters
    ----------
    n_condition : int
        Channels of the image's embedding.
    n : int
        Channels of the noisy mask's embedding.
    n_time : int
        Channels that describe the time step.

    Examples
    --------
    >>> former = SSFormer(n_condition=6, n=8, n_time=4)
    >>> mask, image, time = torch.zeros(2, 8, 4, 4), torch.zeros(2, 6, 4, 4), torch.zeros(2, 4)
    >>> tuple(former(mask, image, time).shape)
    (2, 8, 4, 4)
    """

    def __init__(self, n_condition: int, n: int, n_time: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(n_condition, n, 1)
        self.image_asks = SpectralAttention(n, n_time)
        self.mask_asks = SpectralAttention(n, n_time)

    def forward(self, mask: torch.Tensor, image: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        image = self.image_asks(self.project(image), mask, time)  # (B, n, H, W)
        return self.mask_asks(mask, image, time)
