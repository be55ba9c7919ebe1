"""The segmentation networks of chapter 03, by name: what each is, and how it is built.

Reading this list loads no framework; PyTorch is loaded when a network is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fetal_lib.models.image_batch import nearest_legal_side

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class SegmentationNetwork:
    """One network and its published setting.

    Attributes
    ----------
    title : str
        As the paper spells it.
    module, builder : str
        Where its ``get_...`` function is.
    multiple : int
        Image sides must be positive multiples of it, in pixels.
    explained : str
        The layer whose maps show where the network looks, the last but one on the way up.
    doi : str
        Of the paper.
    narrow : float
        Width at which it trains in minutes on two processor cores.
    arguments : dict
        That tell this network from others of the same builder.
    published : dict
        Arguments of the published setting; RGB images unless it says otherwise.
    published_count : int or None
        Parameters at that setting; None for what nobody released.
    counts_statistics : bool
        The published count includes the running statistics of batch normalisation.
    fixed_size : bool
        Takes square images of one size, which the builder must know.
    is_diffusion : bool
        Called with a noisy mask and a time step, too.
    """

    title: str
    module: str
    builder: str
    multiple: int
    explained: str
    doi: str
    narrow: float = 0.125
    arguments: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)
    published_count: int | None = None
    counts_statistics: bool = False
    fixed_size: bool = False
    is_diffusion: bool = False


_UNET = ("fetal_lib.models.attention_unet", "get_attention_unet", 16, "decoder.2")
_DUCK = ("fetal_lib.models.duck_net", "get_duck_net", 32, "decoder.2")
_UNEXT = ("fetal_lib.models.unext", "get_unext", 32, "up.2")
_TRANS = ("fetal_lib.models.trans_unet", "get_trans_unet", 16, "decoder.1")
_DIFFUSION = ("fetal_lib.models.med_seg_diff", "get_med_seg_diff", 32, "denoiser.up.14")

NETWORKS: dict[str, SegmentationNetwork] = {
    "unet": SegmentationNetwork(
        "U-Net",
        *_UNET,
        doi="10.1007/978-3-319-24574-4_28",
        arguments={"gated": False},
        published_count=34_527_041,
    ),
    "attention_unet": SegmentationNetwork(
        "Attention U-Net", *_UNET, doi="10.48550/arXiv.1804.03999", published_count=34_878_573
    ),
    "duck_net_17": SegmentationNetwork(
        "DUCK-Net 17",
        *_DUCK,
        narrow=0.25,
        doi="10.1038/s41598-023-36940-5",
        arguments={"n_filters": 17},
        published_count=38_921_088,
        counts_statistics=True,
    ),
    "duck_net_34": SegmentationNetwork(
        "DUCK-Net 34",
        *_DUCK,
        doi="10.1038/s41598-023-36940-5",
        arguments={"n_filters": 34},
        published_count=155_410_341,
        counts_statistics=True,
    ),
    "unext": SegmentationNetwork(
        "UNeXt",
        *_UNEXT,
        narrow=1.0,
        doi="10.1007/978-3-031-16443-9_3",
        published_count=1_471_921,
    ),
    "unext_s": SegmentationNetwork(
        "UNeXt-S",
        *_UNEXT,
        narrow=1.0,
        doi="10.1007/978-3-031-16443-9_3",
        arguments={"small": True},
        published_count=253_561,
    ),
    "trans_unet": SegmentationNetwork(
        "TransUNet",
        *_TRANS,
        doi="10.48550/arXiv.2102.04306",
        published={"n_classes": 2, "image_size": 256},
        published_count=105_322_146,
        fixed_size=True,
    ),
    "med_seg_diff": SegmentationNetwork(
        "MedSegDiff-V2",
        *_DIFFUSION,
        doi="10.1609/aaai.v38i6.28418",
        arguments={"version": "paper"},
        is_diffusion=True,
    ),
    "med_seg_diff_released": SegmentationNetwork(
        "MedSegDiff, released code",
        *_DIFFUSION,
        doi="10.48550/arXiv.2211.00611",
        arguments={"version": "repository"},
        published_count=129_400_450,
        is_diffusion=True,
    ),
}


def get_spec(name: str) -> SegmentationNetwork:
    """Return what is known of a network.

    Raises
    ------
    ValueError
        If there is none of that name; lists the names.

    Examples
    --------
    >>> get_spec("unext").title
    'UNeXt'
    """
    if name not in NETWORKS:
        raise ValueError(f"name={name!r}: no such network; use one of {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def build_network(
    name: str,
    in_channels: int = 1,
    n_classes: int = 1,
    width: float = 1.0,
    image_size: int = 256,
    **arguments: Any,
) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    name : str
        A key of ``NETWORKS``: unet, attention_unet, duck_net_17, duck_net_34, unext,
        unext_s, trans_unet, med_seg_diff, med_seg_diff_released.
    in_channels : int
        Channels of the image: 1 or 3.
    n_classes : int
        Channels of the output.
    width : float
        Factor of all channels; 1 is the published network.
    image_size : int
        Side of the images in pixels. Only a network that learns positions keeps it; the others
        take any legal size later.
    **arguments
        Of this network's builder, such as ``dropout``.

    Returns
    -------
    torch.nn.Module
        Image (B, in_channels, H, W) to logits (B, n_classes, H, W); a diffusion network is called
        as ``network(noisy, t, image)``, see `fetal_lib.models.med_seg_diff`.

    Raises
    ------
    ValueError
        If the name is unknown or the size illegal; names the nearest legal size.

    Examples
    --------
    >>> network = build_network("unext_s", image_size=64)
    >>> sum(p.numel() for p in network.parameters())
    253417
    """
    spec = get_spec(name)
    if image_size < spec.multiple or image_size % spec.multiple:
        nearest = nearest_legal_side(image_size, spec.multiple)
        raise ValueError(
            f"image_size={image_size}: {spec.title} needs sides that are positive multiples of "
            f"{spec.multiple}; the nearest is {nearest}."
        )
    builder = getattr(import_module(spec.module), spec.builder)
    sizes = {"image_size": image_size} if spec.fixed_size else {}
    given = {**spec.arguments, **sizes, **arguments}
    return builder(in_channels=in_channels, n_classes=n_classes, width=width, **given)


def count_parameters(network: nn.Module, statistics: bool = False) -> int:
    """Return the number of trainable numbers, and of running statistics if asked to."""
    n = sum(p.numel() for p in network.parameters())
    if statistics:
        n += sum(b.numel() for name, b in network.named_buffers() if "running" in name)
    return n


def published_parameters(name: str) -> int:
    """Return the parameters at the published setting, counted without allocating them.

    Examples
    --------
    >>> published_parameters("med_seg_diff_released")
    129400450
    """
    import torch

    spec = get_spec(name)
    with torch.device("meta"):
        network = build_network(name, **{"in_channels": 3, **spec.published})
    return count_parameters(network, spec.counts_statistics)


def example_inputs(
    name: str, n: int = 2, in_channels: int = 1, n_classes: int = 1, side: int = 64
) -> tuple[torch.Tensor, ...]:
    """Return random inputs that a network of this name may be called with, the image last."""
    import torch

    image = torch.rand(n, in_channels, side, side)
    if not get_spec(name).is_diffusion:
        return (image,)
    return torch.randn(n, n_classes, side, side), torch.arange(n) * 300 + 1, image
