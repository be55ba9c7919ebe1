"""DUCK-Net for binary segmentation: six kinds of convolution side by side, and an image pyramid.

A DUCK block sums six branches that see areas of different size. Five strided linear convolutions
carry the image itself down beside the encoder, and skips are added, not concatenated. With RGB
images and 17 channels it has 38,921,088 weights as Keras counts them (with the running means and
variances of batch normalisation), 38,867,668 of them trainable; with 34 channels 155,410,341.

Every convolution of a branch is followed by ReLU and *then* batch normalisation, as the authors'
code has it. What differs here: the momentum of the running statistics is PyTorch's 0.1 and not
the 0.01 of Keras, because our fits are short; and the network returns logits, not probabilities.

References
----------
Dumitru R-G, Peteleaza D, Craciun C. Using DUCK-Net for polyp image segmentation. Scientific
Reports 2023;13:9803. doi:10.1038/s41598-023-36940-5
"""

from __future__ import annotations

import torch
from torch import nn

from fetal_lib.models.image_batch import check_image_batch, scaled

N_HALVINGS = 5
SIZE_MULTIPLE = 2**N_HALVINGS
EPSILON = 1e-3  # of batch normalisation, the value of Keras


def norm(n_channels: int) -> nn.BatchNorm2d:
    """Return batch normalisation with the epsilon of Keras."""
    return nn.BatchNorm2d(n_channels, eps=EPSILON)


def conv(n_in: int, n_out: int, kernel: tuple[int, int], dilation: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size, ReLU and batch normalisation, in that order.

    An even kernel is padded by one pixel more on the right and at the bottom, as Keras does.
    """
    spread = [dilation * (k - 1) for k in kernel]
    top, left = (s // 2 for s in spread)
    padding = (left, spread[1] - left, top, spread[0] - top)
    even = any(s % 2 for s in spread)
    inside = 0 if even else (top, left)  # by the convolution itself: no padded copy is made
    layer = nn.Conv2d(n_in, n_out, kernel, dilation=dilation, padding=inside)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    pad = nn.ZeroPad2d(padding) if even else nn.Identity()
    return nn.Sequential(pad, layer, nn.ReLU(), norm(n_out))


def dilated(n_in: int, n_out: int, dilations: tuple[int, ...]) -> nn.Sequential:
    """Return a chain of 3x3 convolutions; (1, 2, 3) is the widescope, (1, 2) the midscope."""
    inputs = [n_in] + [n_out] * (len(dilations) - 1)
    chain = (conv(n, n_out, (3, 3), d) for n, d in zip(inputs, dilations, strict=True))
    return nn.Sequential(*chain)


def separable(n_in: int, n_out: int, length: int = 6) -> nn.Sequential:
    """Return a row-wise and a column-wise convolution in a chain."""
    return nn.Sequential(conv(n_in, n_out, (1, length)), conv(n_out, n_out, (length, 1)))


def residual_chain(n_in: int, n_out: int, n_blocks: int) -> nn.Sequential:
    """Return residual blocks in a chain."""
    inputs = [n_in] + [n_out] * (n_blocks - 1)
    return nn.Sequential(*(ResidualBlock(n, n_out) for n in inputs))


def linear_halving(n_in: int, n_out: int) -> nn.Conv2d:
    """Return a 2x2 convolution of stride 2 with no activation."""
    layer = nn.Conv2d(n_in, n_out, 2, stride=2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, plus a 1x1 convolution of the input with its own ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.body = dilated(n_in, n_out, (1, 1))
        self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1), nn.ReLU())
        nn.init.kaiming_uniform_(self.shortcut[0].weight, nonlinearity="relu")
        nn.init.zeros_(self.shortcut[0].bias)
        self.norm = norm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.body(x) + self.shortcut(x))  # (B, n_out, H, W)


class DuckBlock(nn.Module):
    """Sum of six branches between two normalisations; no activation follows."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.norm_in = norm(n_in)
        self.widescope = dilated(n_in, n_out, (1, 2, 3))
        self.midscope = dilated(n_in, n_out, (1, 2))
        self.residual = nn.ModuleList(residual_chain(n_in, n_out, n) for n in (1, 2, 3))
        self.separable = separable(n_in, n_out)
        self.norm_out = norm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_in(x)  # (B, n_in, H, W)
        total = self.widescope(x) + self.midscope(x) + self.separable(x)
        for chain in self.residual:
            total = total + chain(x)
        return self.norm_out(total)  # (B, n_out, H, W)


class DuckNet(nn.Module):
    """Image pyramid, encoder and decoder."""

    def __init__(self, n_filters: int, in_channels: int, n_classes: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        widths = [n_filters * 2**level for level in range(N_HALVINGS + 1)]
        self.pyramid = nn.ModuleList(map(linear_halving, [in_channels, *widths[1:-1]], widths[1:]))
        self.down = nn.ModuleList(map(linear_halving, widths[:-1], widths[1:]))
        self.encoder = nn.ModuleList(map(DuckBlock, [in_channels, *widths[1:-1]], widths[:-1]))
        self.bottom = nn.Sequential(
            residual_chain(widths[5], widths[5], 2), residual_chain(widths[5], widths[4], 2)
        )
        outputs = [widths[0], *widths[:-2]]  # of the decoder at levels 0 to 4
        self.decoder = nn.ModuleList(map(DuckBlock, widths[:-1], outputs))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(n_filters, n_classes, 1)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        check_image_batch(image.shape, "DUCK-Net", self.in_channels, SIZE_MULTIPLE)
        x = self.encoder[0](image)  # (B, F, H, W)
        skips, pyramid = [x], image
        for level in range(1, N_HALVINGS + 1):
            pyramid = self.pyramid[level - 1](pyramid)  # (B, 2^l F, H/2^l, W/2^l)
            x = self.down[level - 1](x) + pyramid
            if level < N_HALVINGS:
                x = self.encoder[level](x)
                skips.append(x)
        x = self.bottom(x)  # (B, 16 F, H/32, W/32)
        for level in reversed(range(N_HALVINGS)):
            x = self.decoder[level](self.up(x) + skips[level])  # (B, 2^(l-1) F, H/2^l, W/2^l)
        return self.head(x)  # (B, n_classes, H, W)


def get_duck_net(
    n_filters: int = 17, in_channels: int = 3, n_classes: int = 1, width: float = 1.0
) -> DuckNet:
    """Build DUCK-Net: images in, logits out.

    Parameters
    ----------
    n_filters : int
        Channels at full size: 17 or 34 in the paper; doubled at each of five halvings.
    in_channels : int
        Channels of the image.
    n_classes : int
        Channels of the output.
    width : float
        Factor of all channels; 1 is the published network.

    Returns
    -------
    DuckNet
        float32 (B, in_channels, H, W) in [0, 1] to logits (B, n_classes, H, W); sides are
        multiples of 32.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     network = get_duck_net(17)
    >>> sum(p.numel() for p in network.parameters())
    38867668
    """
    return DuckNet(scaled(n_filters, width), in_channels, n_classes)
