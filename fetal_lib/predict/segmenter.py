"""A trained segmentation network of any kind, and what is needed to use it.

A plain network gives probabilities at once. A diffusion network samples an ensemble of masks by
DDIM, and the ensemble is fused; what its condition network says about an image is computed once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.models.mask_fusion import FUSIONS, majority, staple
from fetal_lib.models.segmentation_networks import build_network, get_spec
from fetal_lib.models.torch_weights import load_torch_weights, save_torch_weights
from fetal_lib.predict.model_folder import SavedModel, load_model, model_spec
from fetal_lib.training.memory_format import channels_last

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fetal_lib.models.condition_unet import ConditionMaps
    from fetal_lib.models.diffusion import Diffusion

BATCH = 16


@model_spec
class SegmenterSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    network : str
        A name that `fetal_lib.models.segmentation_networks.build_network` takes.
    width : float
        Factor of its published channels.
    image_size : int
        Side in pixels that images are squashed to.
    predicts : str
        Of a diffusion network: ``"noise"`` or ``"mask"``.
    signal : float
        Of a diffusion network: factor of its schedule's signal-to-noise ratio, 1 as published.
    sampling_steps, members : int
        Of a diffusion network: DDIM steps, and masks that are sampled for each image.
    fusion : str
        ``"staple"``, ``"mean"`` or ``"majority"`` of the members.
    seed : int
        Of the members' noise.
    trained_on : str
        The data, in words.
    """

    network: str
    width: float = 1.0
    image_size: int = 256
    predicts: str = "noise"
    signal: float = 1.0
    sampling_steps: int = 10
    members: int = 5
    fusion: str = "staple"
    seed: int = 0
    trained_on: str = ""

    def process(self) -> Diffusion:
        """Return the diffusion process that the network was trained with."""
        from fetal_lib.models.diffusion import Diffusion

        return Diffusion(predicts=self.predicts, signal=self.signal)

    def build(self) -> nn.Module:
        """Return the untrained network for grey images and one structure."""
        return build_network(self.network, 1, 1, self.width, self.image_size)


class Segmenter(SavedModel):
    """A network and its spec: grey images in, probability maps out.

    Parameters
    ----------
    network : torch.nn.Module
    spec : SegmenterSpec
    device : str
        Of PyTorch.
    """

    def __init__(self, network: nn.Module, spec: SegmenterSpec, device: str = "cpu") -> None:
        self.network = channels_last(network).to(device).eval()
        self.spec, self.device = spec, device

    @property
    def is_diffusion(self) -> bool:
        """Say whether masks are sampled."""
        return get_spec(self.spec.network).is_diffusion

    def probs(self, images: np.ndarray) -> np.ndarray:
        """Return the structure's probability at every pixel.

        Parameters
        ----------
        images : ndarray, uint8 (N, H, W)
            Already squashed to ``image_size``.

        Returns
        -------
        ndarray, float32 (N, H, W), in [0, 1]
            Of a diffusion network the fused ensemble.
        """
        if self.is_diffusion:
            return fuse_members(self.members(images), self.spec.fusion)
        return self._batches(images, lambda x: self.network(x).sigmoid())[:, 0]

    def members(
        self, images: np.ndarray, n_members: int | None = None, ancestral_steps: int = 0
    ) -> np.ndarray:
        """Return the masks that a diffusion network samples.

        Parameters
        ----------
        images : ndarray, uint8 (N, H, W)
        n_members : int, optional
            Another number of members than the spec has.
        ancestral_steps : int
            Sample by that many drawn steps instead of by DDIM; 0 is DDIM.

        Returns
        -------
        ndarray, float32 (K, N, H, W), in [0, 1]
            K members; member k starts from the same noise for every image.
        """
        import torch

        n = self.spec.members if n_members is None else n_members

        def sample_all(image: torch.Tensor) -> torch.Tensor:
            seen = self.network.look(image)
            drawn = (self._sample(image, seen, k, ancestral_steps) for k in range(n))
            return torch.cat(list(drawn), dim=1)  # (B, K, H, W)

        return self._batches(images, sample_all).swapaxes(0, 1)

    def anchor_probs(self, images: np.ndarray) -> np.ndarray:
        """Return what the condition network of a diffusion network says alone, (N, H, W)."""
        return self._batches(images, lambda x: self.network.look(x).logits.sigmoid())[:, 0]

    def _sample(
        self, image: torch.Tensor, seen: ConditionMaps, member: int, ancestral_steps: int
    ) -> torch.Tensor:
        """Sample one mask an image, (B, 1, H, W) in [0, 1]."""
        import torch

        generator = torch.Generator().manual_seed(self.spec.seed * 1000 + member)
        noise = torch.randn(1, 1, *image.shape[2:], generator=generator).to(image.device)
        start = noise.expand(len(image), -1, -1, -1)
        process = self.spec.process()

        def denoise(noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return self.network.denoise(noisy, t, image, seen)

        if ancestral_steps:
            draws = torch.Generator(image.device).manual_seed(self.spec.seed * 1000 + member)
            mask = process.sample_ancestral(denoise, start, ancestral_steps, draws)
        else:
            mask = process.sample_ddim(denoise, start, self.spec.sampling_steps)
        return (mask + 1) / 2

    def _batches(self, images: np.ndarray, compute: Any) -> np.ndarray:
        """Return what is computed of all images, float32 (N, K, H, W)."""
        import torch

        parts = []
        with torch.inference_mode():
            for i in range(0, len(images), BATCH):
                x = torch.from_numpy(images[i : i + BATCH, None] / np.float32(255))
                parts.append(compute(x.to(self.device)).float().cpu().numpy())
        return np.concatenate(parts)

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights.npz``."""
        save_torch_weights(self.network, folder / "weights.npz")


def load_segmenter(folder: str | Path, device: str = "cpu") -> Segmenter:
    """Load what :meth:`Segmenter.save` wrote, from its folder or the run's.

    Raises
    ------
    ValueError
        If there is no ``model.json``, or it cannot be read.
    """

    def build(spec: SegmenterSpec, home: Path) -> Segmenter:
        network = spec.build()
        load_torch_weights(network, home / "weights.npz")
        return Segmenter(network, spec, device)

    return load_model(folder, "03_biometry_segmentation", SegmenterSpec, build)


def fuse_members(members: np.ndarray, how: str) -> np.ndarray:
    """Fuse the masks of each image.

    Parameters
    ----------
    members : ndarray, float (K, N, H, W), in [0, 1]
    how : str
        ``"staple"``, ``"mean"`` or ``"majority"``.

    Returns
    -------
    ndarray, float32 (N, H, W), in [0, 1]

    Raises
    ------
    ValueError
        If ``how`` is none of the three.

    Examples
    --------
    >>> fuse_members(np.array([[[[1.0]]], [[[0.0]]]]), "mean")
    array([[[0.5]]], dtype=float32)
    """
    if how not in FUSIONS:
        raise ValueError(f"how={how!r}: use one of {', '.join(FUSIONS)}.")
    if how == "mean":
        return members.mean(0).astype("float32")
    fuse = majority if how == "majority" else (lambda masks: staple(masks).probs)
    votes = members > 0.5
    return np.stack([fuse(votes[:, i]) for i in range(votes.shape[1])]).astype("float32")
