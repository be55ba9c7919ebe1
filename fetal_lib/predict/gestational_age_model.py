"""A trained gestational age model in a folder: the networks of all folds, and what they know.

``model.json`` holds the arguments that build the networks, how slices are cut, the conformal
half-width, and the range of what was trained on; ``weights_K.npz`` the weights of fold K;
``likeness.npz`` mean pictures by age, which say whether a scan looks like those; ``card.md``
what it was trained on and how good it is. No picture of a single fetus is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.brain_volume import volume_days
from fetal_lib.data.plane_slices import find_brain
from fetal_lib.models.vgg16_attention import PLANES, get_age_network
from fetal_lib.models.weights import load_weights, read_arrays, save_weights
from fetal_lib.predict.gestational_age_any import (
    FINDER,
    AnyContrastModel,
    AnyContrastSpec,
    build_any_contrast,
)
from fetal_lib.predict.gestational_age_maps import plane_cams, plane_gates
from fetal_lib.predict.gestational_age_reading import GaReading, outside_text
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan
from fetal_lib.predict.keras_start import import_keras
from fetal_lib.predict.model_folder import (
    SavedModel,
    Unbounded,
    find_model,
    load_model,
    model_spec,
)
from fetal_lib.training.keras_regression import predict_values

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from fetal_lib.data.layouts.fetal_scan import FetalScan

UNMASKED = (
    "nothing says where the brain ends: mask the volume to the brain with its fluid, or put its "
    "mask beside it as NAME_mask.nii.gz"
)
VOLUME_SLACK = 1.2  # a brain may be this much larger or smaller than any of the training
CHAPTER = "01_gestational_age"
LIKENESS_SIDE = 24
LEAST_FETUSES = 3  # a mean picture of fewer would show a fetus
DARK = 0.3  # of white: what is darker in some mean picture may lie outside the brain


@model_spec
class GaModelSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    image_size, n_slices, size_normalised : how slices are cut.
    planes : that the networks read.
    backbone, width, batch_norm, n_pools, hidden, dropout : that the networks are built from.
    centres, scales : of each network: age is ``centre + scale * answer``, days.
    half_width_days : of the prediction interval; infinite when uncalibrated.
    interval_coverage : coverage that it was calibrated for.
    ga_range_days : youngest and oldest fetus of the training.
    brain_ml_range : smallest and largest brain with its fluid; None where it was unknown.
    min_likeness : likeness with the mean pictures below which a scan is declined.
    trained_on : the data, in words.
    """

    image_size: int
    n_slices: int
    size_normalised: bool
    planes: tuple[str, ...]
    backbone: str
    width: float
    batch_norm: bool
    n_pools: int
    hidden: int
    dropout: float
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    half_width_days: Unbounded
    interval_coverage: float
    ga_range_days: tuple[float, float]
    brain_ml_range: tuple[float, float] | None
    min_likeness: float
    trained_on: str = ""

    def build(self) -> keras.Model:
        """Return an untrained network of the spec."""
        shape = (self.image_size, self.planes, self.backbone, self.width, self.batch_norm)
        return get_age_network(*shape, self.n_pools, hidden=self.hidden, dropout=self.dropout)


class GaModel(SavedModel):
    """Networks, a spec and mean pictures.

    Parameters
    ----------
    networks : of the folds; their answers are averaged.
    spec : GaModelSpec
    references : float32 (G, 24, 24, P), mean pictures of G ages.
    """

    def __init__(
        self, networks: Sequence[keras.Model], spec: GaModelSpec, references: np.ndarray
    ) -> None:
        self.networks, self.spec, self.references = list(networks), spec, references

    def read(self, scan: FetalScan) -> GaReading:
        """Tell the age from one scan, or say why not."""
        spec = self.spec
        try:
            if scan.volume is not None and np.isnan(find_brain(scan.volume, scan.mask).volume_ml):
                return GaReading(reason=UNMASKED)
            cut = cut_scan(scan, spec.n_slices, spec.image_size, spec.size_normalised)
        except ValueError as error:
            return GaReading(reason=str(error))
        images = as_pictures(cut)[..., [PLANES.index(plane) for plane in spec.planes]]
        like = self.likeness(images)
        facts = {"brain_ml": cut.brain_ml, "likeness": like, "images": images}
        if problem := self._no_fetal_brain(cut.brain_ml, like):
            return GaReading(reason=problem, **facts)
        answers = self.answers(images)
        days = float(np.median(answers.mean(axis=0)))
        facts |= {"spread_days": float(answers.std()), "shape_days": days}
        if np.isfinite(cut.brain_ml):
            facts["volume_days"] = float(volume_days(cut.brain_ml))
        if reason := outside_text(days, spec.ga_range_days):
            return GaReading(reason=reason, **facts)
        half = spec.half_width_days
        return GaReading(days, days - half, days + half, **facts)

    def _no_fetal_brain(self, brain_ml: float, like: float) -> str:
        """Return why a scan shows no fetal brain of 19 to 39 weeks; empty if it may."""
        known = self.spec.brain_ml_range
        if known is not None and np.isfinite(brain_ml):
            low, high = known[0] / VOLUME_SLACK, known[1] * VOLUME_SLACK
            if not low <= brain_ml <= high:
                size = "smaller" if brain_ml < low else "larger"
                return (
                    f"the brain with its fluid is {brain_ml:.0f} mL, {size} than any of "
                    f"{known[0]:.0f} to {known[1]:.0f} mL that it knows: outside 19 to 39 weeks, "
                    "or not masked to the brain"
                )
        if like < self.spec.min_likeness:
            return (
                f"does not look like a fetal brain on T2-weighted MRI (likeness {like:.2f}, at "
                f"least {self.spec.min_likeness:.2f} is needed): another organ or contrast, a "
                "wrong mask, or a header that does not say how the head lies"
            )
        return ""

    def figure(self, reading: GaReading, title: str) -> Figure:
        """Show the middle slices with gate and Grad-CAM of the first network."""
        from fetal_lib.plots.gestational_age import looked_at_figure

        image = reading.images[len(reading.images) // 2]
        planes, network = self.spec.planes, self.networks[0]
        gates = plane_gates(network, image, planes)
        cams = plane_cams(network, image, planes) * np.float32(self.spec.scales[0])
        return looked_at_figure(image, gates, cams, planes, title)

    def answers(self, images: np.ndarray) -> np.ndarray:
        """Return days by each network for each slice triple, (K, n).

        Parameters
        ----------
        images : uint8 (n, S, S, P), of one brain.
        """
        parts = zip(self.networks, self.spec.centres, self.spec.scales, strict=True)
        return np.stack([predict_values(n, images, centre, scale) for n, centre, scale in parts])

    def likeness(self, images: np.ndarray) -> float:
        """Return how well pictures of one brain match the mean pictures, at most 1."""
        return likeness(images, self.references)

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights_K.npz`` of each network, and the mean pictures."""
        for number, network in enumerate(self.networks):
            save_weights(network, folder / f"weights_{number}.npz")
        pictures = np.asarray(self.references, np.float16)
        np.savez_compressed(folder / "likeness.npz", references=pictures)


def load_ga_model(folder: str | Path | None) -> GaModel | AnyContrastModel:
    """Load the model of a run of chapter 01, or the one that is shipped.

    Parameters
    ----------
    folder : a run's ``model/`` folder, or the run's folder; None for the shipped model.

    Raises
    ------
    ValueError
        If there is no such model, or it cannot be read.
    """
    if (find_model(folder, CHAPTER) / FINDER).is_file():
        return load_model(folder, CHAPTER, AnyContrastSpec, build_any_contrast)
    return load_model(folder, CHAPTER, GaModelSpec, _build)


def _build(spec: GaModelSpec, folder: Path) -> GaModel:
    import_keras()
    references = read_arrays(folder / "likeness.npz")["references"].astype(np.float32)
    networks = [spec.build() for _ in spec.centres]
    for number, network in enumerate(networks):
        load_weights(network, folder / f"weights_{number}.npz")
    return GaModel(networks, spec, references)


def reference_pictures(
    images: np.ndarray, subject: np.ndarray, ga_days: np.ndarray, n_ages: int = 6
) -> np.ndarray:
    """Return mean small pictures of fetuses of like age.

    Parameters
    ----------
    images : uint8 (N, S, S, P)
    subject, ga_days : (N,)
    n_ages : at most so many groups of equal size; each has three fetuses or more.

    Returns
    -------
    float32 (G, 24, 24, P), 0 to 1.
    """
    names, first = np.unique(subject, return_index=True)
    order = np.argsort(np.asarray(ga_days)[first], kind="stable")
    groups = np.array_split(names[order], max(1, min(n_ages, len(names) // LEAST_FETUSES)))
    return np.stack([small_picture(images[np.isin(subject, group)]) for group in groups])


def small_picture(images: np.ndarray) -> np.ndarray:
    """Return the mean of pictures, (n, S, S, P) uint8 to (24, 24, P) float32, 0 to 1."""
    import cv2

    mean = images.mean(axis=0, dtype=np.float32) / 255
    side = (LIKENESS_SIDE, LIKENESS_SIDE)
    return cv2.resize(mean, side, interpolation=cv2.INTER_AREA).reshape(*side, -1)


def likeness(images: np.ndarray, references: np.ndarray) -> float:
    """Return how much of the mean picture of some age a brain's own mean picture has.

    Only places count where all references show the brain: an outline alone is no likeness. At
    each age it is 1 - (squared difference) / (squared deviation of the reference from its mean),
    so that contrast and brightness count, not the pattern alone; the best age is taken.

    Parameters
    ----------
    images : uint8 (n, S, S, P), of one brain.
    references : float32 (G, 24, 24, P).

    Returns
    -------
    float, 1 for an equal picture, 0 for an even gray of the right brightness, below it for
    anything else.

    Examples
    --------
    >>> brain = np.random.default_rng(0).integers(90, 255, (1, 24, 24, 3)).astype(np.uint8)
    >>> likeness(brain, brain / np.float32(255)), likeness(255 - brain, brain / 255) < 0
    (1.0, True)
    """
    inside = references.min(axis=0) > DARK
    seen = small_picture(images)[inside]
    found = [-np.inf]
    for one in references:
        reference = one[inside]
        spread = float(((reference - reference.mean()) ** 2).sum())
        if spread > 0:
            found.append(1 - float(((seen - reference) ** 2).sum()) / spread)
    return max(found)
