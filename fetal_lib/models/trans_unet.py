"""TransUNet R50-ViT-B/16: a ResNet's deepest map through a transformer, then up with skips.

With 9 classes it has 105,277,081 parameters for images of 224 pixels a side, with 2 classes
105,322,146 for 256; they differ because positions are learnt, one vector per token, and that is
why a network takes square images of one size only. Grey images are repeated to three channels.
The authors start from weights learnt on ImageNet-21k; here nothing is downloaded, and a network
starts from random weights.

References
----------
Chen J et al. TransUNet: transformers make strong encoders for medical image segmentation. 2021.
arXiv:2102.04306
"""

from __future__ import annotations

import torch
from torch import nn

from fetal_lib.models.image_batch import check_image_batch, nearest_legal_side, scaled
from fetal_lib.models.res_net_v2 import ResNetV2
from fetal_lib.models.vision_transformer import N_HEADS, VisionTransformer

SIZE_MULTIPLE = 16
N_TOKEN = 768
DECODER = (512, 256, 128, 64, 16)
N_SKIPS = 3


class ConvReLU(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        super().__init__(conv, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


class DecoderBlock(nn.Module):
    """Doubling by interpolation, the skip where there is one, and two convolutions."""

    def __init__(self, n_in: int, n_skip: int, n_out: int) -> None:
        super().__init__()
        self.up = nn.UpsamplingBilinear2d(scale_factor=2)
        self.body = nn.Sequential(ConvReLU(n_in + n_skip, n_out), ConvReLU(n_out, n_out))

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        x = self.up(x)
        return self.body(x if skip is None else torch.cat([x, skip], dim=1))  # (B, n_out, 2H, 2W)


class TransUNet(nn.Module):
    """ResNet, transformer and the cascaded upsampler."""

    def __init__(
        self,
        image_size: int,
        in_channels: int,
        n_classes: int,
        width: float,
        n_blocks: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.image_size, self.in_channels = image_size, in_channels
        n_stem = scaled(64, width, 4)
        n_token = scaled(N_TOKEN, width, N_HEADS)
        widths = [scaled(n, width) for n in DECODER]
        self.encoder = ResNetV2(n_stem)
        side = image_size // SIZE_MULTIPLE
        self.transformer = VisionTransformer(16 * n_stem, n_token, side, n_blocks, dropout)
        self.bridge = nn.Sequential(
            nn.Conv2d(n_token, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        skips = (8 * n_stem, 4 * n_stem, n_stem, 0)
        self.decoder = nn.ModuleList(map(DecoderBlock, widths[:-1], skips, widths[1:]))
        self.head = nn.Conv2d(widths[-1], n_classes, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        check_image_batch(
            image.shape, "TransUNet", self.in_channels, SIZE_MULTIPLE, self.image_size
        )
        if self.in_channels == 1:
            image = image.repeat(1, 3, 1, 1)
        x, skips = self.encoder(image)  # (B, 16 n, S/16, S/16)
        x = self.bridge(self.transformer(x))  # (B, 512 w, S/16, S/16)
        for k, block in enumerate(self.decoder):
            x = block(x, skips[N_SKIPS - 1 - k] if k < N_SKIPS else None)
        return self.head(x)  # (B, n_classes, S, S)


def get_trans_unet(
    image_size: int = 224,
    in_channels: int = 3,
    n_classes: int = 1,
    width: float = 1.0,
    n_blocks: int = 12,
    dropout: float = 0.1,
) -> TransUNet:
    """Build TransUNet: square images in, logits out.

    Parameters
    ----------
    image_size : int
        Side of the images in pixels, a multiple of 16.
    in_channels : int
        1 or 3.
    n_classes : int
        Channels of the output.
    width : float
        Factor of all channels; 1 is the published network.
    n_blocks : int
        Blocks of the transformer; 12 in ViT-B.
    dropout : float
        Rate in the transformer.

    Returns
    -------
    TransUNet
        float32 (B, in_channels, S, S) to logits (B, n_classes, S, S).

    Raises
    ------
    ValueError
        If the side is no multiple of 16, or the channels are neither 1 nor 3.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     networks = get_trans_unet(224, n_classes=9), get_trans_unet(256, n_classes=2)
    >>> [sum(p.numel() for p in network.parameters()) for network in networks]
    [105277081, 105322146]
    """
    if image_size < SIZE_MULTIPLE or image_size % SIZE_MULTIPLE:
        raise ValueError(
            f"image_size={image_size}: TransUNet cuts images into patches of {SIZE_MULTIPLE}, so "
            f"the side must be a positive multiple of it; the nearest is "
            f"{nearest_legal_side(image_size, SIZE_MULTIPLE)}."
        )
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels={in_channels}: the ResNet takes grey (1) or RGB (3) images.")
    return TransUNet(image_size, in_channels, n_classes, width, n_blocks, dropout)
