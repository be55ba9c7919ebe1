"""What a segmentation network is trained on: one loss for plain networks, two for diffusion.

Every loss has the same form, ``loss(network, image, mask)``, so that one training loop serves all
networks. Masks come in [0, 1] and may be soft where a pixel is partly covered.

References
----------
Milletari F, Navab N, Ahmadi S-A. V-Net: fully convolutional neural networks for volumetric medical
image segmentation. 3DV 2016. doi:10.1109/3DV.2016.79 (soft Dice)
Wu J et al. MedSegDiff-V2: diffusion-based medical image segmentation with transformer. AAAI 2024.
doi:10.1609/aaai.v38i6.28418 (anchor loss)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetal_lib.training.torch_task import Loss

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fetal_lib.models.diffusion import Diffusion

SMOOTH = 1.0
CONDITION_WEIGHT = 10.0


def soft_dice_loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return 1 minus the soft Dice of each image and class.

    Parameters
    ----------
    logits, mask : Tensor (B, C, H, W)
        The mask in [0, 1].

    Returns
    -------
    Tensor (B, C), in [0, 1]

    Examples
    --------
    >>> import torch
    >>> mask = torch.tensor([[[[1.0, 0.0]]]])
    >>> soft_dice_loss(torch.tensor([[[[50.0, -50.0]]]]), mask).item()
    0.0
    """
    probs = logits.float().sigmoid()
    overlap = (probs * mask).sum((2, 3))
    total = probs.sum((2, 3)) + mask.sum((2, 3))
    return 1 - (2 * overlap + SMOOTH) / (total + SMOOTH)


def bce_dice_loss(network: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return half the cross-entropy and half the soft Dice loss of a plain network.

    Parameters
    ----------
    network : torch.nn.Module
        Image to logits.
    image : Tensor (B, C, H, W)
    mask : Tensor (B, n_classes, H, W), in [0, 1]
    """
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    logits = network(image).float()
    return 0.5 * cross_entropy(logits, mask) + 0.5 * soft_dice_loss(logits, mask).mean()


def anchored_diffusion_loss(
    process: Diffusion, anchor_every: int = 5, ce_weight: float = 10.0
) -> Loss:
    """Return the loss of the paper on MedSegDiff-V2: noise, and an anchor at some steps.

    The squared error of the network's first output, the variational bound for its variance, and,
    at the time steps that ``anchor_every`` divides, soft Dice plus weighted cross-entropy of the
    condition network's own mask.

    Parameters
    ----------
    process : Diffusion
    anchor_every : int
        1 takes the anchor loss at every step, which few epochs of training need.
    ce_weight : float

    Returns
    -------
    callable
        ``loss(network, image, mask)``.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    def loss(network: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        denoising, anchor_logits, t = _denoising(process, network, image, mask)
        chosen = (t % anchor_every == 0).float()
        entropy = cross_entropy(anchor_logits, mask, reduction="none").mean((1, 2, 3))
        anchor = soft_dice_loss(anchor_logits, mask).mean(1) + ce_weight * entropy
        return denoising + (chosen * anchor).mean()

    return loss


def released_diffusion_loss(process: Diffusion) -> Loss:
    """Return the loss of the released code: noise, bound, and ten times a squared error.

    The squared error is that of the condition network's probabilities; its author wrote that it
    worked better than the paper's Dice and cross-entropy.
    """
    from torch.nn.functional import mse_loss

    def loss(network: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        denoising, anchor_logits, _ = _denoising(process, network, image, mask)
        return denoising + CONDITION_WEIGHT * mse_loss(anchor_logits.sigmoid(), mask)

    return loss


def mean_dice(network: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the Dice of a plain network's masks at probability one half, mean over images."""
    return _hard_dice(network(image), mask)


def sampled_dice(process: Diffusion, n_steps: int) -> Loss:
    """Return the same for a diffusion network: one mask an image, sampled by DDIM.

    Parameters
    ----------
    process : Diffusion
    n_steps : int
        Of DDIM.

    Returns
    -------
    callable
        ``score(network, image, mask)``.
    """
    import torch

    def score(network: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen, noise = network.look(image), torch.randn_like(mask)
        found = process.sample_ddim(lambda x, t: network.denoise(x, t, image, seen), noise, n_steps)
        return _hard_dice(found, mask)

    return score


def _hard_dice(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean Dice of the pixels where values are positive; 1 where both are empty."""
    found, true = (values > 0).float(), (mask >= 0.5).float()
    total = (found + true).sum((1, 2, 3))
    overlap = 2 * (found * true).sum((1, 2, 3)) / total.clamp(min=1)
    return overlap.where(total > 0, 1.0).mean()


def _denoising(
    process: Diffusion, network: nn.Module, image: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return squared error plus bound at random steps, the condition's logits, and the steps."""
    import torch

    signed = 2 * mask - 1  # masks are in [-1, 1] where the process runs
    noise = torch.randn_like(signed)
    t = process.draw_steps(len(mask)).to(mask.device)
    noisy = process.add_noise(signed, t, noise)
    values, anchor_logits = (v.float() for v in network(noisy, t, image))
    target = noise if process.predicts == "noise" else signed
    squared = (values[:, : mask.shape[1]] - target).square().mean()
    bound = process.variational_bound(values, signed, noisy, t).mean()
    return squared + bound, anchor_logits, t
