"""DUCK-Net for binary segmentation: six kinds of convolution side by side, and an image pyramid.

A DUCK block sums six branches that see areas of different size. Five strided linear convolutions
carry the image itself down beside the encoder, and skips are added, not concatenated. With RGB
images and 17 channels it has 38,921,088 weights as Keras counts them (with the running means and
variances of batch normalisation), 38,867,668 of them trainable; with 34 channels 155,410,341.

Branches that read the same map, or do the same to maps of their own, go through one convolution:
that of all their channels, or one in groups. Sums, weights and their number are those of branches
one after another (a test holds that), in 162 normalisations and not 282: a narrow network, whose
steps are many and small, takes a quarter less time to train.

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


def conv(
    n_in: int, n_out: int, kernel: tuple[int, int], dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution that keeps the size, ReLU and batch normalisation, in that order.

    An even kernel is padded by one pixel more on the right and at the bottom, as Keras does.
    """
    spread = [dilation * (k - 1) for k in kernel]
    top, left = (s // 2 for s in spread)
    padding = (left, spread[1] - left, top, spread[0] - top)
    even = any(s % 2 for s in spread)
    inside = 0 if even else (top, left)  # by the convolution itself: no padded copy is made
    layer = nn.Conv2d(n_in, n_out, kernel, dilation=dilation, padding=inside, groups=groups)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    pad = nn.ZeroPad2d(padding) if even else nn.Identity()
    return nn.Sequential(pad, layer, nn.ReLU(), norm(n_out))


def square(n_in: int, n_out: int, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a 3x3 `conv`."""
    return conv(n_in, n_out, (3, 3), dilation, groups)


def separable(n_in: int, n_out: int, length: int = 6) -> nn.Sequential:
    """Return a row-wise and a column-wise convolution in a chain."""
    return nn.Sequential(conv(n_in, n_out, (1, length)), conv(n_out, n_out, (length, 1)))


def shortcut(n_in: int, n_out: int, groups: int = 1) -> nn.Sequential:
    """Return a 1x1 convolution and ReLU."""
    layer = nn.Conv2d(n_in, n_out, 1, groups=groups)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return nn.Sequential(layer, nn.ReLU())


def linear_halving(n_in: int, n_out: int) -> nn.Conv2d:
    """Return a 2x2 convolution of stride 2 with no activation."""
    layer = nn.Conv2d(n_in, n_out, 2, stride=2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, plus a 1x1 convolution of the input with its own ReLU, in groups."""

    def __init__(self, n_in: int, n_out: int, groups: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            square(n_in, n_out, groups=groups), square(n_out, n_out, groups=groups)
        )
        self.shortcut = shortcut(n_in, n_out, groups)
        self.norm = norm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.body(x) + self.shortcut(x))  # (B, n_out, H, W)


class DuckBlock(nn.Module):
    """Sum of six branches between two normalisations; no activation follows.

    Widescope (3x3 convolutions of dilation 1, 2, 3), midscope (1, 2), chains of one, two and three
    residual blocks, and the separable branch.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        n = self.n_out = n_out
        self.norm_in = norm(n_in)
        self.first = square(n_in, 5 * n)  # of widescope, midscope and the three chains
        self.scopes_2 = square(2 * n, 2 * n, dilation=2, groups=2)
        self.widescope_3 = square(n, n, dilation=3)
        self.chains_1 = square(3 * n, 3 * n, groups=3)
        self.chains_1_shortcut = shortcut(n_in, 3 * n)
        self.chains_1_norm = norm(3 * n)
        self.chains_2 = ResidualBlock(2 * n, 2 * n, groups=2)
        self.chain_3 = ResidualBlock(n, n)
        self.separable = separable(n_in, n)
        self.norm_out = norm(n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = self.n_out
        x = self.norm_in(x)  # (B, n_in, H, W)
        first = self.first(x)  # (B, 5 n, H, W)
        wide, mid = self.scopes_2(first[:, : 2 * n]).chunk(2, dim=1)
        total = self.widescope_3(wide) + mid + self.separable(x)
        three = self.chains_1_norm(self.chains_1(first[:, 2 * n :]) + self.chains_1_shortcut(x))
        two = self.chains_2(three[:, n:])  # of the chains that go on
        total = total + three[:, :n] + two[:, :n] + self.chain_3(two[:, n:])
        return self.norm_out(total)  # (B, n, H, W)


class DuckNet(nn.Module):
    """Image pyramid, encoder and decoder."""

    def __init__(self, n_filters: int, in_channels: int, n_classes: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        widths = [n_filters * 2**level for level in range(N_HALVINGS + 1)]
        self.pyramid = nn.ModuleList(map(linear_halving, [in_channels, *widths[1:-1]], widths[1:]))
        self.down = nn.ModuleList(map(linear_halving, widths[:-1], widths[1:]))
        self.encoder = nn.ModuleList(map(DuckBlock, [in_channels, *widths[1:-1]], widths[:-1]))
        ends = [widths[5]] * 3 + [widths[4]] * 2
        self.bottom = nn.Sequential(*map(ResidualBlock, ends[:-1], ends[1:]))
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
