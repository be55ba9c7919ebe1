"""Grad-CAM of a segmentation network, what it means, and its checks.

**Which scalar.** The mean logit over the pixels that the network itself calls structure. For a
diffusion network: the mean, over the pixels of its fused mask, of the mask that the denoiser's
output stands for, at **one step**, the middle one, starting from its own mask with fixed noise.

**Which layer.** The decoder's block at a quarter of the size: deep enough to hold context, fine
enough to be drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.verdicts import Check, place_check, verdict, weights_check
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.grad_cam_torch import grad_cam
from fetal_lib.explain.occlusion import band, map_similarity, share_on
from fetal_lib.explain.sanity import replacement_curve
from fetal_lib.models.segmentation_networks import get_spec
from fetal_lib.predict.segmenter import Segmenter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from fetal_book.chapters.biometry_segmentation.data import CaseArrays

N_EXPLAINED = 3
"""Test images that are explained, evenly spaced over the part."""
MIDDLE, EARLY, LATE = 500, 900, 100
"""Time steps of the diffusion: maps are of the middle one; two others show what that decides."""


def region_score(segmenter: Segmenter, region: np.ndarray, step: int = MIDDLE) -> nn.Module:
    """Return a network from an image (1, 1, S, S) to its mean (1, 1) over a region, at a step."""
    import torch

    inside = torch.from_numpy(region)

    class RegionScore(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = segmenter.network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if not segmenter.is_diffusion:
                return self.network(image)[0, 0][inside].mean().view(1, 1)
            process = segmenter.spec.process()
            own = (2.0 * inside - 1)[None, None].to(image)
            t = torch.full((1,), step, device=image.device)
            generator = torch.Generator().manual_seed(segmenter.spec.seed)
            noise = torch.randn(own.shape, generator=generator).to(image)
            noisy = process.add_noise(own, t, noise)
            first = self.network(noisy, t, image).values[:, :1]
            if process.predicts == "noise":
                first = -first  # the mask falls as the noise rises, at a fixed factor
            return first[0, 0][inside].mean().view(1, 1)

    return RegionScore().eval()  # Grad-CAM puts the mode back that it finds


def segmentation_cam(
    segmenter: Segmenter,
    image: np.ndarray,
    region: np.ndarray,
    step: int = MIDDLE,
    signed: bool = False,
) -> np.ndarray:
    """Return the Grad-CAM of one image, float32 (S, S); zero where the region is empty."""
    if not region.any():
        return np.zeros(image.shape, np.float32)
    layer = segmenter.network.get_submodule(get_spec(segmenter.spec.network).explained)
    x = image[None] / np.float32(255)
    return grad_cam(region_score(segmenter, region, step), layer, x, signed=signed)


def shuffled(segmenter: Segmenter) -> Segmenter:
    """Return the network with the entries of every kernel shuffled.

    It keeps the distribution of its weights and loses what it learnt. Fresh random weights would
    not do: a fresh denoiser's last kernels are zero, and so would its map be.
    """
    import torch

    network = segmenter.spec.build()
    network.load_state_dict(segmenter.network.state_dict())
    generator = torch.Generator().manual_seed(segmenter.spec.seed + 1)
    with torch.no_grad():
        for parameter in network.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return Segmenter(network, segmenter.spec, segmenter.device)


def cam_checks(
    segmenter: Segmenter, arrays: CaseArrays
) -> tuple[list[np.ndarray], pd.DataFrame, pd.DataFrame]:
    """Make Grad-CAM maps of a few test images, check what they mean, and add `cam_curves`."""
    random, maps, rows, curves = shuffled(segmenter), [], [], []
    for i in evenly_spaced(N_EXPLAINED, len(arrays.images)):
        image, mask = arrays.images[i], arrays.masks[i] >= 128
        edge = band(mask, max(2, len(image) // 16))
        region = segmenter.probs(image[None])[0] >= 0.5  # for both
        whole = segmentation_cam(segmenter, image, region, signed=True)
        other = segmentation_cam(random, image, region, signed=True)
        saliency = np.maximum(whole, 0)
        row = {"model": segmenter.spec.network, "test image": i + 1}
        row |= {"map on structure": _share(saliency, mask), "structure's area": mask.mean()}
        row |= {"map on edge": _share(saliency, edge), "edge's area": edge.mean()}
        row["r, shuffled weights"] = _similarity(whole, other)
        for step in (EARLY, LATE) if segmenter.is_diffusion else ():
            at_step = segmentation_cam(segmenter, image, region, step, signed=True)
            row[f"r, step {step}"] = _similarity(whole, at_step)
        maps.append(saliency)
        rows.append(row)
        curves.append(cam_curves(segmenter, image, region, saliency))
    return maps, pd.DataFrame(rows), pd.concat(curves, ignore_index=True)


def cam_curves(
    segmenter: Segmenter, image: np.ndarray, region: np.ndarray, saliency: np.ndarray
) -> pd.DataFrame:
    """Hide pixels behind the image's mean, or show them, in the order of a map and in a random one.

    Returns ``model, way`` (deletion or insertion), ``order`` (map or random), ``share`` of the
    pixels and ``change``, by how much the explained scalar is away from that of the whole image.
    """
    import torch

    score = region_score(segmenter, region)

    def measure(images: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
        with torch.no_grad():
            return np.array([score(x[None].to(segmenter.device)).item() for x in batch])

    x, found = image[..., None] / np.float32(255), []
    for way in ("deletion", "insertion") if region.any() else ():
        for order, ranks in (("map", saliency), ("random", np.zeros_like(saliency))):
            share, change = replacement_curve(
                x, ranks, measure, fill=float(x.mean()), insert=way == "insertion"
            )
            labels = {"model": segmenter.spec.network, "way": way, "order": order}
            found.append(pd.DataFrame({**labels, "share": share, "change": change}))
    columns = ["model", "way", "order", "share", "change"]
    return pd.concat(found) if found else pd.DataFrame(columns=columns)


def curve_means(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the mean change over each curve of :func:`cam_curves`: a row a model and way."""
    keys = ["model", "way", "order"]
    means = curves.astype({"change": float}).groupby(keys, sort=False)["change"].mean()
    grid = means.unstack("order").reindex(columns=["map", "random"]).reset_index()
    return grid.rename(columns={"map": "mean, map order", "random": "mean, random order"})


def _share(saliency: np.ndarray, region: np.ndarray) -> float:
    return share_on(saliency, region) if saliency.any() else float("nan")


def _similarity(a: np.ndarray, b: np.ndarray) -> float:
    return map_similarity(a, b) if np.ptp(a) and np.ptp(b) else float("nan")


def attention_gates(segmenter: Segmenter, image: np.ndarray) -> list[np.ndarray]:
    """Return the gates' weights of an Attention U-Net, finest first, float32."""
    import torch

    x = torch.from_numpy(image[None, None] / np.float32(255)).to(segmenter.device)
    with torch.inference_mode():
        _, gates = segmenter.network.forward_with_gates(x)
    return [gate[0, 0].cpu().numpy() for gate in gates]


def cam_verdict(checks: pd.DataFrame, means: pd.DataFrame) -> str:
    """Say which checks each network's maps pass: of single maps, those that every image passes."""
    lines = []
    for model, rows in checks.groupby("model", sort=False):
        shares = rows[["map on structure", "map on edge"]].to_numpy(float)
        areas = rows[["structure's area", "edge's area"]].to_numpy(float)
        found = [place_check(shares, areas, "its area")]
        found.append(weights_check("shuffled weights", rows["r, shuffled weights"].to_numpy(float)))
        found += _order_checks(means[means["model"] == model].set_index("way"))
        failed = sum(passed is False for _, passed, _ in found)
        counts = f"{len(rows)} images, {failed} of {len(found)} failed"
        lines.append(f"- `{model}`, {counts}: {verdict(found, 'its maps')}")
    return "\n".join(lines) or "No map was made."


def _order_checks(curves: pd.DataFrame) -> Iterator[Check]:
    for way in ("deletion", "insertion"):
        if way not in curves.index:
            yield way, None, "nothing was found"
            continue
        by_map, by_chance = curves.loc[way, ["mean, map order", "mean, random order"]]
        passed = by_map > by_chance if way == "deletion" else by_map < by_chance
        yield way, bool(passed), f"mean change {by_map:.3g}, {by_chance:.3g} in random order"
