"""Gaussian diffusion of masks: adding noise, and two ways to take it off again.

A mask in [-1, 1] is mixed with noise in ``n_steps`` steps. A network that tells the noise (or the
mask) of a step takes it off: in all steps, one draw a step (ancestral sampling), or in a few of
them without drawing (DDIM). The variance of a draw is interpolated, on a logarithmic scale,
between its two bounds by a second output of the network.

References
----------
Ho J, Jain A, Abbeel P. Denoising diffusion probabilistic models. NeurIPS 2020. arXiv:2006.11239
Nichol A, Dhariwal P. Improved denoising diffusion probabilistic models. ICML 2021.
arXiv:2102.09672 (learnt range of variances; fewer steps for a trained network)
Song J, Meng C, Ermon S. Denoising diffusion implicit models. ICLR 2021. arXiv:2010.02502
Hoogeboom E, Heek J, Salimans T. simple diffusion: end-to-end diffusion for high resolution images.
ICML 2023. arXiv:2301.11093 (a schedule shifted by a factor of its signal-to-noise ratio)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

N_STEPS = 1000
FEWEST_STEPS = 21  # with fewer the linear schedule, stretched, leaves (0, 1)
BETA_FIRST, BETA_LAST = 1e-4, 0.02  # for 1000 steps
PREDICTS = ("noise", "mask")
HALF_LEVEL = 1 / 255
Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def linear_betas(n_steps: int = N_STEPS) -> np.ndarray:
    """Return the variance added at each step, float64 (n_steps,), for any number of steps.

    Raises
    ------
    ValueError
        With fewer than 21 steps; train with more and sample with few.

    Examples
    --------
    >>> linear_betas()[[0, -1]]
    array([0.0001, 0.02  ])
    """
    if n_steps < FEWEST_STEPS:
        raise ValueError(
            f"n_steps={n_steps}: a schedule needs {FEWEST_STEPS} or more; train with 1000, and "
            "give the small number to sample_ddim."
        )
    stretch = N_STEPS / n_steps
    return np.linspace(stretch * BETA_FIRST, stretch * BETA_LAST, n_steps)


def shifted_betas(betas: np.ndarray, signal: float) -> np.ndarray:
    """Return a schedule whose signal-to-noise ratio (of amplitudes) is ``signal`` times as high.

    A mask is one large patch: averaged over its pixels it shows through noise that hides a picture,
    and a network that sees it there learns late to look at the image. A factor below 1 hides it.

    Parameters
    ----------
    betas : ndarray, float64 (n_steps,)
    signal : float, above 0

    Raises
    ------
    ValueError
        If the factor is not positive.

    Examples
    --------
    >>> kept = np.cumprod(1 - shifted_betas(linear_betas(), 0.1))[500]
    >>> before = np.cumprod(1 - linear_betas())[500]
    >>> round(float(np.sqrt(kept / (1 - kept)) / np.sqrt(before / (1 - before))), 6)
    0.1
    """
    if not signal > 0:
        raise ValueError(
            f"signal={signal}: the factor of the signal must be above 0; 1 shifts none."
        )
    kept = np.cumprod(1 - betas)
    kept = signal**2 * kept / (signal**2 * kept + 1 - kept)
    return 1 - kept / np.append(1.0, kept[:-1])


def spaced_steps(n_steps: int, n_kept: int) -> np.ndarray:
    """Return ``n_kept`` steps from 0 to ``n_steps - 1``, evenly spaced; one alone is the last.

    Examples
    --------
    >>> spaced_steps(1000, 5)
    array([  0, 250, 500, 749, 999])
    """
    if not 1 <= n_kept <= n_steps:
        raise ValueError(f"n_steps={n_kept}: sample in 1 to {n_steps} steps, as many as trained.")
    if n_kept == 1:
        return np.array([n_steps - 1])
    return np.round(np.linspace(0, n_steps - 1, n_kept)).astype(int)


class Diffusion:
    """The schedule and what follows from it.

    Parameters
    ----------
    n_steps : int
        Steps of the process.
    predicts : str
        What the network's first output is: ``"noise"``, as published, or ``"mask"``, which few
        epochs of training serve better.
    signal : float
        Factor of the schedule's signal-to-noise ratio, see :func:`shifted_betas`; 1 as published.
    steps, betas : ndarray, optional
        The original number of each step, and the variance that it adds; see :meth:`respaced`.

    Raises
    ------
    ValueError
        If ``predicts`` is neither.

    Examples
    --------
    >>> process = Diffusion()
    >>> mask = torch.ones(1, 1, 2, 2)
    >>> noise = torch.zeros_like(mask)
    >>> [round(process.add_noise(mask, torch.tensor([t]), noise).max().item(), 3) for t in (0, 999)]
    [1.0, 0.006]
    """

    def __init__(
        self,
        n_steps: int = N_STEPS,
        predicts: str = "noise",
        signal: float = 1.0,
        steps: np.ndarray | None = None,
        betas: np.ndarray | None = None,
    ) -> None:
        if predicts not in PREDICTS:
            raise ValueError(f"predicts={predicts!r}: use one of {PREDICTS}.")
        self.predicts = predicts
        betas = shifted_betas(linear_betas(n_steps), signal) if betas is None else betas
        self.n_steps = len(betas)
        self.steps = np.arange(self.n_steps) if steps is None else steps
        self.betas = betas
        self.kept = np.cumprod(1 - betas)  # share of the mask's variance that is left
        self.kept_before = np.append(1.0, self.kept[:-1])
        self.variance = betas * (1 - self.kept_before) / (1 - self.kept)
        # The first variance is 0, and its logarithm that of the second.
        self.log_variance = np.log(np.append(self.variance[1:2], self.variance[1:]))

    def respaced(self, n_kept: int) -> Diffusion:
        """Return the same process seen at ``n_kept`` of its steps only."""
        chosen = spaced_steps(self.n_steps, n_kept)
        kept = self.kept[chosen]
        betas = 1 - kept / np.append(1.0, kept[:-1])
        return Diffusion(predicts=self.predicts, steps=self.steps[chosen], betas=betas)

    def draw_steps(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw ``n`` time steps, all equally likely: Tensor, int64 (n,)."""
        return torch.randint(self.n_steps, (n,), generator=generator)

    def add_noise(self, mask: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the noisy mask at the steps ``t``, given standard normal noise.

        Parameters
        ----------
        mask, noise : Tensor, float32 (B, C, H, W)
            The mask in [-1, 1].
        t : Tensor, int64 (B,)
        """
        kept = _at(self.kept, t, mask)
        return kept.sqrt() * mask + (1 - kept).sqrt() * noise

    def mask_of(self, values: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the mask (B, C, H, W) in [-1, 1] that a network's first output stands for."""
        if self.predicts == "noise":
            kept = _at(self.kept, t, noisy)
            values = (noisy - (1 - kept).sqrt() * values) / kept.sqrt()
        return values.clamp(-1, 1)

    def posterior(
        self, mask: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log variance of the step before, given the mask and the noisy one."""
        kept, before, beta = (_at(a, t, noisy) for a in (self.kept, self.kept_before, self.betas))
        from_mask = beta * before.sqrt() / (1 - kept)
        from_noisy = (1 - before) * (1 - beta).sqrt() / (1 - kept)
        log_variance = _at(self.log_variance, t, noisy).expand_as(noisy)
        return from_mask * mask + from_noisy * noisy, log_variance

    def predicted_posterior(
        self, values: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the same from a network's output (B, 2 C, H, W) in place of the mask."""
        first, share = values.chunk(2, dim=1)
        mean, shortest = self.posterior(self.mask_of(first, noisy, t), noisy, t)
        longest = _at(np.log(self.betas), t, noisy)
        share = (share + 1) / 2  # 0 is the lower bound, 1 the upper
        return mean, share * longest + (1 - share) * shortest

    def variational_bound(
        self, values: torch.Tensor, mask: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Return the bound of each image at its step, bits per pixel, Tensor (B,).

        The divergence between the two posteriors; at the first step the likelihood of the mask
        on 256 levels. It teaches the variance only, so the first output gets no gradient.
        """
        first, share = values.chunk(2, dim=1)
        values = torch.cat([first.detach(), share], dim=1)
        mean, log_variance = self.posterior(mask, noisy, t)
        guess, log_guess = self.predicted_posterior(values, noisy, t)
        ratio = (log_variance - log_guess).exp() + (mean - guess) ** 2 * (-log_guess).exp()
        divergence = 0.5 * (log_guess - log_variance - 1 + ratio)
        likelihood = -_log_likelihood(mask, guess, 0.5 * log_guess)
        first_step = (t == 0)[:, None, None, None]
        return torch.where(first_step, likelihood, divergence).mean((1, 2, 3)) / math.log(2)

    @torch.no_grad()
    def sample_ancestral(
        self,
        denoise: Denoiser,
        start: torch.Tensor,
        n_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Take the noise off step by step, drawing at each.

        Parameters
        ----------
        denoise : callable
            (noisy (B, C, H, W), steps int64 (B,)) to values (B, 2 C, H, W).
        start : Tensor, float32 (B, C, H, W)
            Standard normal noise.
        n_steps : int, optional
            Steps to take, 2 or more; all of them by default.
        generator : torch.Generator, optional
            Of the draws, on the device of ``start``.

        Returns
        -------
        Tensor (B, C, H, W)
            The mask, in [-1, 1].
        """
        process = self.respaced(n_steps or self.n_steps)
        x = start
        for i in reversed(range(process.n_steps)):
            t = torch.full((len(x),), i, device=x.device)
            values = denoise(x, _original(process, t))
            mean, log_variance = process.predicted_posterior(values, x, t)
            noise = torch.randn(x.shape, generator=generator, device=x.device) if i else 0.0
            x = mean + (0.5 * log_variance).exp() * noise
        return x.clamp(-1, 1)

    @torch.no_grad()
    def sample_ddim(
        self, denoise: Denoiser, start: torch.Tensor, n_steps: int = 25
    ) -> torch.Tensor:
        """Take the noise off in few steps and without drawing.

        Parameters and return as for :meth:`sample_ancestral`; all chance is in ``start``.
        """
        process = self.respaced(n_steps)
        x = start
        for i in reversed(range(process.n_steps)):
            t = torch.full((len(x),), i, device=x.device)
            first = denoise(x, _original(process, t))[:, : x.shape[1]]
            mask = process.mask_of(first, x, t)
            kept, before = float(process.kept[i]), float(process.kept_before[i])
            noise = (x - math.sqrt(kept) * mask) / math.sqrt(1 - kept)
            x = math.sqrt(before) * mask + math.sqrt(1 - before) * noise
        return x


def _at(values: np.ndarray, t: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return an entry of a schedule for each image, (B, 1, 1, 1), on the device of ``like``."""
    picked = torch.from_numpy(values).to(like.device)[t]
    return picked.to(like.dtype)[:, None, None, None]


def _original(process: Diffusion, t: torch.Tensor) -> torch.Tensor:
    """Return the steps as the network learnt to count them."""
    return torch.from_numpy(process.steps).to(t.device)[t]


def _log_likelihood(x: torch.Tensor, mean: torch.Tensor, log_sd: torch.Tensor) -> torch.Tensor:
    """Return log probabilities of 256 levels in [-1, 1] under a normal distribution."""

    def below(edge: torch.Tensor) -> torch.Tensor:
        return torch.special.ndtr((edge - mean) * (-log_sd).exp())

    upper = torch.where(x > 1 - HALF_LEVEL, torch.ones_like(x), below(x + HALF_LEVEL))
    lower = torch.where(x < -1 + HALF_LEVEL, torch.zeros_like(x), below(x - HALF_LEVEL))
    return (upper - lower).clamp(min=1e-12).log()
