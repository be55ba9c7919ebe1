"""TransUNet and MedSegDiff-V2 written straight down; see `plain_networks`."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from fetal_lib.models import diffusion_unet, res_net_v2
from fetal_lib.models.condition_unet import condition_widths
from fetal_lib.models.image_batch import scaled
from fetal_lib.models.med_seg_diff import GaussianSmoothing


class PlainStandardConv(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        v, m = torch.var_mean(w, dim=[1, 2, 3], keepdim=True, unbiased=False)
        return F.conv2d(x, (w - m) / torch.sqrt(v + 1e-5), None, self.stride, self.padding)


def standard(a, b, kernel, stride=1):
    return PlainStandardConv(a, b, kernel, stride, kernel // 2, bias=False)


class PlainBottleneck(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        m, norm = b // 4, res_net_v2.group_norm
        self.c1, self.n1 = standard(a, m, 1), norm(m)
        self.c2, self.n2 = standard(m, m, 3, stride), norm(m)
        self.c3, self.n3 = standard(m, b, 1), norm(b)
        self.side = None
        if stride > 1 or a != b:
            self.side = nn.Sequential(standard(a, b, 1, stride), nn.GroupNorm(b, b))

    def forward(self, x):
        y = F.relu(self.n1(self.c1(x)))
        y = self.n3(self.c3(F.relu(self.n2(self.c2(y)))))
        return F.relu(y + (x if self.side is None else self.side(x)))


class PlainAttentionBlock(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(n, 1e-6), nn.LayerNorm(n, 1e-6)
        self.q, self.k, self.v = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, n)
        self.out, self.drop = nn.Linear(n, n), nn.Dropout(0.1)
        self.fc1, self.fc2 = nn.Linear(n, 4 * n), nn.Linear(4 * n, n)

    def forward(self, x):
        b, t, n = x.shape
        y = self.n1(x)
        q, k, v = (
            f(y).view(b, t, 12, n // 12).permute(0, 2, 1, 3) for f in (self.q, self.k, self.v)
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(n // 12), dim=-1)
        x = x + self.drop(self.out((weights @ v).permute(0, 2, 1, 3).reshape(b, t, n)))
        return x + self.drop(self.fc2(self.drop(F.gelu(self.fc1(self.n2(x))))))


class PlainTransUNet(nn.Module):
    def __init__(self, width, side):
        super().__init__()
        n, t, self.side = scaled(64, width, 4), scaled(768, width, 12), side // 16
        self.stem, self.norm = standard(3, n, 7, 2), res_net_v2.group_norm(n)
        plan = ((n, 4 * n, 3, 1), (4 * n, 8 * n, 4, 2), (8 * n, 16 * n, 9, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(
                PlainBottleneck(a, b, s), *(PlainBottleneck(b, b, 1) for _ in range(m - 1))
            )
            for a, b, m, s in plan
        )
        self.embed = nn.Conv2d(16 * n, t, 1)
        self.position = nn.Parameter(torch.zeros(1, self.side**2, t))
        self.blocks = nn.Sequential(*(PlainAttentionBlock(t) for _ in range(12)))
        self.last_norm, self.drop = nn.LayerNorm(t, 1e-6), nn.Dropout(0.1)
        d = [scaled(k, width) for k in (512, 256, 128, 64, 16)]
        self.bridge = self.conv(t, d[0])
        skips = (8 * n, 4 * n, n, 0)
        self.up = nn.ModuleList(
            nn.Sequential(self.conv(a + s, b), self.conv(b, b))
            for a, b, s in zip(d, d[1:], skips, strict=False)
        )
        self.last = nn.Conv2d(d[-1], 1, 3, padding=1)

    @staticmethod
    def conv(a, b):
        return nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()
        )

    def forward(self, x):
        full = x.shape[-1]
        x = F.relu(self.norm(self.stem(x.repeat(1, 3, 1, 1))))
        skips = [x]
        x = self.stages[0](F.max_pool2d(x, 3, 2))
        lack = full // 4 - x.shape[-1]
        skips.append(F.pad(x, (0, lack, 0, lack)))
        x = self.stages[1](x)
        skips.append(x)
        x = self.embed(self.stages[2](x)).flatten(2).transpose(1, 2)
        x = self.last_norm(self.blocks(self.drop(x + self.position)))
        x = self.bridge(x.transpose(1, 2).reshape(len(x), -1, self.side, self.side))
        for k, up in enumerate(self.up):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = up(torch.cat((x, skips[2 - k]), dim=1) if k < 3 else x)
        return self.last(x)


class PlainTimed(nn.Module):
    def __init__(self, a, b, n_time, attends):
        super().__init__()
        norm = diffusion_unet.group_norm
        self.n1, self.c1, self.t = norm(a), nn.Conv2d(a, b, 3, 1, 1), nn.Linear(n_time, b)
        self.n2, self.c2 = norm(b), nn.Conv2d(b, b, 3, 1, 1)
        self.skip = nn.Conv2d(a, b, 1) if a != b else None
        self.attends = attends
        if attends:
            self.norm, self.qkv, self.out = norm(b), nn.Conv2d(b, 3 * b, 1), nn.Conv2d(b, b, 1)

    def forward(self, x, time):
        y = self.c1(F.silu(self.n1(x))) + self.t(F.silu(time))[:, :, None, None]
        side = x if self.skip is None else self.skip(x)
        x = side + self.c2(F.silu(self.n2(y)))
        if not self.attends:
            return x
        q, k, v = self.qkv(self.norm(x)).flatten(2).chunk(3, dim=1)  # (B, C, N)
        weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(q.shape[1]), dim=-1)
        return x + self.out((v @ weights.transpose(1, 2)).reshape(x.shape))


class PlainSpectral(nn.Module):
    def __init__(self, n, n_time):
        super().__init__()
        self.na, self.nb = nn.LayerNorm(n), nn.LayerNorm(n)
        self.q, self.k, self.v = (nn.Linear(n, n, bias=False) for _ in range(3))
        self.f1, self.ft, self.f2 = (
            nn.Conv2d(2, 16, 3, 1, 1),
            nn.Linear(n_time, 32),
            nn.Conv2d(16, 1, 3, 1, 1),
        )
        self.out = nn.Linear(n, n)
        self.mlp = nn.Sequential(
            nn.LayerNorm(n), nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n)
        )

    def forward(self, asking, asked, time):
        b, c, h, w = asking.shape
        x, y = (m.flatten(2).transpose(1, 2) for m in (asking, asked))
        y = self.na(y)
        q, k = self.q(self.nb(x)), self.k(y)
        fq, fk = (
            torch.fft.fft2(m.reshape(b, h, w, c), dim=(1, 2), norm="ortho").flatten(1, 2)
            for m in (q, k)
        )
        spectrum = fq @ fk.conj().transpose(1, 2) / math.sqrt(c)
        scale, move = self.ft(F.silu(time))[:, :, None, None].chunk(2, 1)
        z = self.f1(torch.stack([spectrum.real, spectrum.imag], 1))
        z = F.instance_norm(z) if h * w > 1 else z
        mask = torch.sigmoid(self.f2(F.silu(z * (1 + scale) + move)))[:, 0]
        back = (spectrum * mask).reshape(b, h, w, h, w)
        back = torch.fft.ifft2(back, dim=(1, 2), norm="ortho")
        back = torch.fft.fft2(back, dim=(3, 4), norm="ortho").real.reshape(b, h * w, h * w)
        x = x + self.out(torch.softmax(back, -1) @ self.v(y))
        x = x + self.mlp(x)
        return x.transpose(1, 2).reshape(b, c, h, w)


class PlainCondition(nn.Module):
    def __init__(self, width):
        super().__init__()
        n = condition_widths(width)
        rate = 0.5 if width >= 1 else 0.0
        stages = (self.stage(a, b, b, rate) for a, b in zip([1, *n], n, strict=False))
        self.enc = nn.ModuleList(stages)
        ends = [n[0], *n[:4]]
        self.dec = nn.ModuleList(self.stage(2 * n[k], n[k], ends[k], 0.0) for k in range(5))
        self.head = nn.Conv2d(n[0], 1, 1, bias=False)

    @staticmethod
    def stage(a, m, b, rate):
        return nn.Sequential(
            nn.Conv2d(a, m, 3, padding=1),
            nn.Dropout2d(rate),
            nn.BatchNorm2d(m),
            nn.LeakyReLU(0.01),
            nn.Conv2d(m, b, 3, padding=1),
            nn.Dropout2d(rate),
            nn.BatchNorm2d(b),
            nn.LeakyReLU(0.01),
        )

    def forward(self, x):
        skips = []
        for k, stage in enumerate(self.enc):
            x = stage(F.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for k in range(4, -1, -1):
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = self.dec[k](torch.cat([x, skips[k]], dim=1))
        return self.head(x), x, skips[-1]


class PlainMedSegDiff(nn.Module):
    def __init__(self, width):
        super().__init__()
        base = self.base = scaled(128, width, 4)
        n_time, n = 4 * base, [base * m for m in (1, 1, 2, 2, 4, 4)]
        n_condition = condition_widths(max(base / 128, 0.25))
        self.condition = PlainCondition(max(base / 128, 0.25))
        self.time = nn.Sequential(nn.Linear(base, n_time), nn.SiLU(), nn.Linear(n_time, n_time))
        self.first = nn.Conv2d(2, base, 3, padding=1)
        self.smooth, self.gate = GaussianSmoothing(), nn.Conv2d(n_condition[0], 1, 1)
        self.down, kept = nn.ModuleList(), [base]
        for level, k in enumerate(n):
            if level:
                self.down.append(nn.Conv2d(kept[-1], kept[-1], 3, 2, 1))
                kept.append(kept[-1])
            for _ in range(2):
                self.down.append(PlainTimed(kept[-1], k, n_time, level == 4))
                kept.append(k)
        self.mid1 = PlainTimed(n[-1], n[-1], n_time, True)
        self.project = nn.Conv2d(n_condition[-1], n[-1], 1)
        self.ask1, self.ask2 = PlainSpectral(n[-1], n_time), PlainSpectral(n[-1], n_time)
        self.mid2 = PlainTimed(n[-1], n[-1], n_time, False)
        self.up, now = nn.ModuleList(), n[-1]
        for level in range(5, -1, -1):
            for _ in range(3):
                self.up.append(PlainTimed(now + kept.pop(), n[level], n_time, level == 4))
                now = n[level]
            if level:
                self.up.append(nn.Conv2d(now, now, 3, 1, 1))
        self.norm, self.last = diffusion_unet.group_norm(base), nn.Conv2d(base, 2, 3, padding=1)

    def forward(self, noisy, t, image):
        logits, fine, deep = self.condition(image)
        half = self.base // 2
        rates = torch.exp(-math.log(10_000) * torch.arange(half) / half)
        angles = t.float()[:, None] * rates
        time = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        x = self.first(torch.cat([image, noisy], 1))
        x = x * torch.sigmoid(self.gate(torch.maximum(self.smooth(fine), fine))) + x
        kept = [x]
        for stage in self.down:
            x = stage(x) if isinstance(stage, nn.Conv2d) else stage(x, time)
            kept.append(x)
        x = self.mid1(x, time)
        asked = self.ask1(self.project(deep), x, time)
        x = self.mid2(self.ask2(x, asked, time), time)
        for stage in self.up:
            if isinstance(stage, nn.Conv2d):
                x = stage(F.interpolate(x, scale_factor=2))
            else:
                x = stage(torch.cat([x, kept.pop()], 1), time)
        return self.last(F.silu(self.norm(x))), logits
