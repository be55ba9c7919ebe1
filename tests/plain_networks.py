"""The networks of chapter 03 once more, written straight down as their authors' code does.

They are what `tests/test_bench_networks.py` measures ours against, and a second opinion on what
ours compute: with the same weights both give the same numbers. Layers stand in the order in which
they are called. Only the rules by which narrow networks are rounded come from fetal_lib.
"""

import torch
from plain_transformers import PlainMedSegDiff, PlainTransUNet
from torch import nn
from torch.nn import functional as F

from fetal_lib.models.image_batch import scaled


def double(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1),
        nn.BatchNorm2d(b),
        nn.ReLU(),
        nn.Conv2d(b, b, 3, padding=1),
        nn.BatchNorm2d(b),
        nn.ReLU(),
    )


class PlainGate(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.g = nn.Sequential(nn.Conv2d(n, n // 2, 1), nn.BatchNorm2d(n // 2))
        self.x = nn.Sequential(nn.Conv2d(n, n // 2, 1), nn.BatchNorm2d(n // 2))
        self.psi = nn.Sequential(nn.Conv2d(n // 2, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, g, x):
        return x * self.psi(F.relu(self.g(g) + self.x(x)))


class PlainUNet(nn.Module):
    def __init__(self, width, gated):
        super().__init__()
        n = [scaled(64, width) * 2**k for k in range(5)]
        self.down = nn.ModuleList(double(a, b) for a, b in zip([1, *n], n, strict=False))
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2),
                nn.Conv2d(2 * k, k, 3, padding=1),
                nn.BatchNorm2d(k),
                nn.ReLU(),
            )
            for k in n[3::-1]
        )
        self.gate = nn.ModuleList(PlainGate(k) for k in n[3::-1]) if gated else None
        self.merge = nn.ModuleList(double(2 * k, k) for k in n[3::-1])
        self.last = nn.Conv2d(n[0], 1, 1)

    def forward(self, x):
        skips = []
        for k, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for k in range(4):
            x = self.up[k](x)
            skip = skips[3 - k] if self.gate is None else self.gate[k](x, skips[3 - k])
            x = self.merge[k](torch.cat((skip, x), dim=1))
        return self.last(x)


def cell(a, b, kernel=3, dilation=1):
    layer = nn.Conv2d(a, b, kernel, padding="same", dilation=dilation)
    return nn.Sequential(layer, nn.ReLU(), nn.BatchNorm2d(b, eps=1e-3))


class PlainResidual(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.c1, self.c2 = cell(a, b), cell(b, b)
        self.side, self.norm = nn.Conv2d(a, b, 1), nn.BatchNorm2d(b, eps=1e-3)

    def forward(self, x):
        y = self.c2(self.c1(x))
        return self.norm(y + F.relu(self.side(x)))


class PlainDuck(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.norm = nn.BatchNorm2d(a, eps=1e-3)
        self.wide = nn.Sequential(cell(a, b), cell(b, b, dilation=2), cell(b, b, dilation=3))
        self.mid = nn.Sequential(cell(a, b), cell(b, b, dilation=2))
        self.sep = nn.Sequential(cell(a, b, (1, 6)), cell(b, b, (6, 1)))
        self.res1 = PlainResidual(a, b)
        self.res2 = nn.Sequential(PlainResidual(a, b), PlainResidual(b, b))
        self.res3 = nn.Sequential(PlainResidual(a, b), PlainResidual(b, b), PlainResidual(b, b))
        self.out = nn.BatchNorm2d(b, eps=1e-3)

    def forward(self, x):
        x = self.norm(x)
        y = self.wide(x) + self.mid(x) + self.sep(x) + self.res1(x) + self.res2(x) + self.res3(x)
        return self.out(y)


class PlainDuckNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        n = [scaled(17, width) * 2**k for k in range(6)]
        self.p = nn.ModuleList(
            nn.Conv2d(a, b, 2, 2) for a, b in zip([1, *n[1:]], n[1:], strict=False)
        )
        self.d = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in zip(n, n[1:], strict=False))
        self.t = nn.ModuleList(PlainDuck(a, b) for a, b in zip([1, *n[1:]], n[:5], strict=False))
        self.bottom = nn.Sequential(
            PlainResidual(n[5], n[5]),
            PlainResidual(n[5], n[5]),
            PlainResidual(n[5], n[4]),
            PlainResidual(n[4], n[4]),
        )
        ends = [n[0], *n[:4]]
        self.u = nn.ModuleList(PlainDuck(n[k], ends[k]) for k in range(5))
        self.last = nn.Conv2d(n[0], 1, 1)

    def forward(self, image):
        p, t = image, self.t[0](image)
        skips = [t]
        for k in range(5):
            p = self.p[k](p)
            t = self.d[k](t) + p
            if k < 4:
                t = self.t[k + 1](t)
                skips.append(t)
        t = self.bottom(t)
        for k in range(4, -1, -1):
            t = self.u[k](F.interpolate(t, scale_factor=2) + skips[k])
        return self.last(t)


def copy_share(ours, plain, number=0, of=1):
    """Copy the numbered share of our channels into a layer or a normalisation."""
    state = ours.state_dict()
    for name, value in plain.state_dict().items():
        value.copy_(state[name].chunk(of)[number] if value.ndim else state[name])


def copy_cell(ours, plain, number=0, of=1):
    copy_share(ours[1], plain[0], number, of)
    copy_share(ours[3], plain[2], number, of)


def copy_residual(ours, plain, number=0, of=1):
    copy_cell(ours.body[0], plain.c1, number, of)
    copy_cell(ours.body[1], plain.c2, number, of)
    copy_share(ours.shortcut[0], plain.side, number, of)
    copy_share(ours.norm, plain.norm, number, of)


@torch.no_grad()
def plain_duck_of(block):
    """Return our DUCK block with its branches one after another, and the same weights."""
    plain = PlainDuck(block.norm_in.num_features, block.n_out).to(block.norm_in.weight.dtype)
    copy_share(block.norm_in, plain.norm)
    copy_share(block.norm_out, plain.out)
    chains = [[plain.res1], list(plain.res2), list(plain.res3)]
    for number, one in enumerate([plain.wide[0], plain.mid[0], *(chain[0].c1 for chain in chains)]):
        copy_cell(block.first, one, number, 5)
    copy_cell(block.scopes_2, plain.wide[1], 0, 2)
    copy_cell(block.scopes_2, plain.mid[1], 1, 2)
    copy_cell(block.widescope_3, plain.wide[2])
    copy_cell(block.separable[0], plain.sep[0])
    copy_cell(block.separable[1], plain.sep[1])
    for number, chain in enumerate(chains):
        copy_cell(block.chains_1, chain[0].c2, number, 3)
        copy_share(block.chains_1_shortcut[0], chain[0].side, number, 3)
        copy_share(block.chains_1_norm, chain[0].norm, number, 3)
    copy_residual(block.chains_2, chains[1][1], 0, 2)
    copy_residual(block.chains_2, chains[2][1], 1, 2)
    copy_residual(block.chain_3, chains[2][2])
    return plain


@torch.no_grad()
def plain_duck_net_of(network, width):
    """Return our DUCK-Net written straight down, with the same weights."""
    plain = PlainDuckNet(width)
    for ours, one in ((network.pyramid, plain.p), (network.down, plain.d)):
        one.load_state_dict(ours.state_dict())
    plain.t = nn.ModuleList(map(plain_duck_of, network.encoder))
    plain.u = nn.ModuleList(map(plain_duck_of, network.decoder))
    for ours, one in zip(network.bottom, plain.bottom, strict=True):
        copy_residual(ours, one)
    plain.last.load_state_dict(network.head.state_dict())
    return plain


class PlainShiftMlp(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.norm = nn.LayerNorm(n)
        self.fc1, self.dw = nn.Linear(n, n), nn.Conv2d(n, n, 3, padding=1, groups=n)
        self.fc2 = nn.Linear(n, n)

    @staticmethod
    def shift(x, h, w, axis):
        b, n, c = x.shape
        x = F.pad(x.transpose(1, 2).reshape(b, c, h, w), (2, 2, 2, 2))
        parts = [torch.roll(part, k - 2, axis) for k, part in enumerate(torch.chunk(x, 5, 1))]
        x = torch.cat(parts, 1)[:, :, 2 : h + 2, 2 : w + 2]
        return x.reshape(b, c, h * w).transpose(1, 2)

    def forward(self, x, h, w):
        y = self.fc1(self.shift(self.norm(x), h, w, 2))
        y = self.dw(y.transpose(1, 2).reshape(len(y), -1, h, w)).flatten(2).transpose(1, 2)
        return x + self.fc2(self.shift(F.gelu(y), h, w, 3))


class PlainUNeXt(nn.Module):
    def __init__(self, width):
        super().__init__()
        n = [scaled(k, width) for k in (16, 32, 128, 160, 256)]
        self.conv = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.MaxPool2d(2), nn.ReLU()
            )
            for a, b in zip([1, *n], n[:3], strict=False)
        )
        self.embed = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(n[2:], n[3:], strict=False)
        )
        self.pre = nn.ModuleList(nn.LayerNorm(k) for k in n[3:])
        self.block = nn.ModuleList(PlainShiftMlp(k) for k in n[3:])
        self.post = nn.ModuleList(nn.LayerNorm(k) for k in n[3:])
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b))
            for a, b in zip(n[:0:-1], n[3::-1], strict=True)
        )
        self.dblock = nn.ModuleList(PlainShiftMlp(k) for k in (n[3], n[2]))
        self.dnorm = nn.ModuleList(nn.LayerNorm(k) for k in (n[3], n[2]))
        self.up5, self.last = nn.Conv2d(n[0], n[0], 3, padding=1), nn.Conv2d(n[0], 1, 1)

    def forward(self, x):
        skips = []
        for conv in self.conv:
            x = conv(x)
            skips.append(x)
        for k in range(2):
            x = self.embed[k](x)
            b, c, h, w = x.shape
            y = self.block[k](self.pre[k](x.flatten(2).transpose(1, 2)), h, w)
            x = self.post[k](y).transpose(1, 2).reshape(b, c, h, w)
            skips.append(x)
        for k in range(4):
            x = F.relu(F.interpolate(self.up[k](x), scale_factor=2, mode="bilinear")) + skips[3 - k]
            if k < 2:
                b, c, h, w = x.shape
                y = self.dnorm[k](self.dblock[k](x.flatten(2).transpose(1, 2), h, w))
                x = y.transpose(1, 2).reshape(b, c, h, w)
        x = F.relu(F.interpolate(self.up5(x), scale_factor=2, mode="bilinear"))
        return self.last(x)


def plain_network(name, width, side):
    """Return the plain twin of a network of chapter 03, for grey images and one structure.

    That of DUCK-Net is made of the network itself, see `plain_duck_net_of`.
    """
    return {
        "unet": lambda: PlainUNet(width, gated=False),
        "attention_unet": lambda: PlainUNet(width, gated=True),
        "unext": lambda: PlainUNeXt(width),
        "trans_unet": lambda: PlainTransUNet(width, side),
        "med_seg_diff": lambda: PlainMedSegDiff(width),
    }[name]()
