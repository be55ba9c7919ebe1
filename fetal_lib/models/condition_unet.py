"""The network that looks at the image alone, on behalf of a denoiser: a U-Net as nnU-Net plans it.

Channels double from 32 up to at most 480 over five poolings. Each stage has two convolutions;
dropout is in the encoder only. On the way up the second convolution of a stage already gives the
channels of the next stage, and maps are doubled by interpolation. The network returns what a
denoiser may want: its mask, and its features at every depth. At width 1 it has 15,727,232
parameters with RGB images.

References
----------
Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image
segmentation. Nature Methods 2021. doi:10.1038/s41592-020-01008-z
Wu J et al. MedSegDiff: medical image segmentation with diffusion probabilistic model. MIDL 2023.
arXiv:2211.00611
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from fetal_lib.models.image_batch import scaled

N_HALVINGS = 5
WIDTH_FIRST, WIDTH_MOST = 32, 480


class ConditionMaps(NamedTuple):
    """What a condition network says about a batch of images.

    Attributes
    ----------
    logits : Tensor (B, n_classes, H, W)
        Of its own mask.
    decoded : list of Tensor
        Features of the decoder, finest first: (B, c_l, H / 2^l, W / 2^l), l from 0 to 4.
    bottleneck : Tensor (B, 480, H / 32, W / 32), at width 1
    """

    logits: torch.Tensor
    decoded: list[torch.Tensor]
    bottleneck: torch.Tensor


def condition_widths(width: float = 1.0) -> list[int]:
    """Return the channels of the five stages and of the bottleneck.

    Examples
    --------
    >>> condition_widths()
    [32, 64, 128, 256, 480, 480]
    """
    widths = [min(WIDTH_FIRST * 2**level, WIDTH_MOST) for level in range(N_HALVINGS + 1)]
    return [scaled(n, width) for n in widths]


class ConvStage(nn.Sequential):
    """3x3 convolution, dropout of whole channels, batch normalisation and leaky ReLU, twice."""

    def __init__(self, n_in: int, n_mid: int, n_out: int, dropout: float) -> None:
        layers: list[nn.Module] = []
        for a, b in ((n_in, n_mid), (n_mid, n_out)):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.Dropout2d(dropout)]
            layers += [nn.BatchNorm2d(b), nn.LeakyReLU(0.01, inplace=True)]
        super().__init__(*layers)


class ConditionUNet(nn.Module):
    """Encoder, decoder and a bias-free 1x1 head.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_classes : int
        Channels of its own mask.
    width : float
        Factor of all channels.
    dropout : float
        Rate in the encoder, in [0, 1).
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = condition_widths(width)
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            ConvStage(a, b, b, dropout) for a, b in zip(inputs, widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        outputs = [widths[0], *widths[: N_HALVINGS - 1]]  # of the decoder at levels 0 to 4
        self.decoder = nn.ModuleList(
            ConvStage(2 * a, a, b, 0.0) for a, b in zip(widths, outputs, strict=False)
        )
        self.head = nn.Conv2d(outputs[0], n_classes, 1, bias=False)

    def forward(self, image: torch.Tensor) -> ConditionMaps:
        x, skips, decoded = image, [], []
        for level, stage in enumerate(self.encoder):
            x = stage(x if level == 0 else self.pool(x))  # (B, c_l, H/2^l, W/2^l)
            skips.append(x)
        for level in reversed(range(N_HALVINGS)):
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = self.decoder[level](torch.cat([x, skips[level]], dim=1))
            decoded.insert(0, x)  # (B, c_(l-1), H/2^l, W/2^l)
        return ConditionMaps(self.head(x), decoded, skips[-1])
