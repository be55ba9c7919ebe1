"""Models that are made in a second: what they answer is known, or they know nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.data.images import squash
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec

SIDE, N_SLICES = 32, 2
GA_TOLD = "29+2 weeks"
GA_INTERVAL = "196.0 to 214.0 days, 90% interval"


class HeadOracle(HeadModel):
    """Knows the masks of phantoms: tested is everything around a network."""

    def __init__(self, *phantoms):
        super().__init__(None, HeadModelSpec(128, 128, 4, 0.0, relative_half_width=0.02))
        self.images = [squash(one.image, self.shape).astype(int) for one in phantoms]
        self.masks = [squash(one.mask.astype(np.uint8) * 255, self.shape) / 255 for one in phantoms]

    def probs(self, images, batch_size=32):
        """Return the mask of each known image, and nothing for others."""
        return np.stack([self._mask(image) for image in images])

    def _mask(self, image):
        pairs = zip(self.images, self.masks, strict=True)
        alike = (mask for known, mask in pairs if np.abs(image - known).mean() < 2)
        return next(alike, np.zeros(self.shape))


def make_fetus():
    """Draw the fetal brain that `fetal_age_model` knows."""
    from fetal_phantoms.fetal_brain.brain import make_fetal_brain

    return make_fetal_brain(40, ga_days=200, spacing_mm=3.0)


def fetal_scan(phantom, subject: str = "s", ga_days: float = 200.0, spacing_mm: float = 3.0):
    """Return a phantom as the layouts hand on a fetus."""
    from fetal_lib.data.layouts.fetal_scan import FetalScan
    from fetal_lib.readers.volume_grid import Volume

    volume = Volume(phantom.t2, phantom.affine, (spacing_mm,) * 3)
    return FetalScan(subject, ga_days, "volume", volume, phantom.labels, phantom.labels > 0, {})


def fixed_age_model(centres, brain_ml_range, pictures):
    """Make untrained networks, each of which answers its own age to all that is like pictures."""
    from fetal_lib.models.vgg16_attention import PLANES
    from fetal_lib.predict.gestational_age_model import GaModel, GaModelSpec

    shape = {"image_size": SIDE, "n_slices": N_SLICES, "size_normalised": True, "planes": PLANES}
    shape |= {"backbone": "vgg16", "width": 0.0625, "batch_norm": True, "n_pools": 3, "hidden": 8}
    limits = {"half_width_days": 9.0, "interval_coverage": 0.9, "ga_range_days": (140.0, 266.0)}
    limits |= {"brain_ml_range": brain_ml_range, "min_likeness": 0.2, "dropout": 0.0}
    spec = GaModelSpec(**shape, **limits, centres=centres, scales=(40.0,) * len(centres))
    networks = [spec.build() for _ in centres]
    for network in networks:
        kernel, bias = network.get_layer("age").get_weights()
        network.get_layer("age").set_weights([0 * kernel, 0 * bias])
    return GaModel(networks, spec, pictures)


def fetal_age_model(fetus):
    """Make a network that answers 205 days to all that looks like one fetus."""
    from fetal_lib.predict.gestational_age_model import reference_pictures
    from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan

    cut = cut_scan(fetal_scan(fetus), N_SLICES, SIDE, True)
    pictures = reference_pictures(as_pictures(cut), np.array(["s", "s"]), np.full(2, 200.0))
    return fixed_age_model((205.0,), (0.8 * cut.brain_ml, 1.2 * cut.brain_ml), pictures)


MAP_SHAPE = (3, 45, 54, 45)


def adult_age_model(intercept=50.0, **more):
    """Make a model that tells 50 years, more where there is more CSF near the brain."""
    from fetal_lib.baselines.cosine_ridge import CosineBasis, CosineRidge
    from fetal_lib.baselines.tissue_maps import age_features
    from fetal_lib.predict.age_model import AgeModel, AgeModelSpec

    norms = {"csf": (0.1, 0.002, 0.0, 0.02), "gray": (0.5, 0, 0, 0.1), "white": (0.4, 0, 0, 0.1)}
    values = {"half_width_years": 7.0, "interval_coverage": 0.9, "age_range": (18.0, 95.0)}
    n = len(age_features(np.zeros(MAP_SHAPE)))
    csf = np.where(np.arange(n) < n // 3, 1 / n, 0)[None]
    one, same = np.ones(1), np.array([[-1e3, 1e3]] * 2)
    basis = CosineBasis(np.zeros(n), csf, -one[None], np.full(1, np.pi / 2))
    return AgeModel(
        AgeModelSpec(**(values | {"norms": norms} | more)),
        CosineRidge(basis, 20 * one, intercept, same),
    )


def blank_anomaly_model(name: str = "separable_cnn", **arguments):
    """Make an untrained network of sixteen classes that sees the head."""
    import keras

    from fetal_lib.models.anomaly_cnns import build_anomaly_cnn
    from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec
    from fetal_phantoms.anomalies.labels import LABELS

    keras.utils.set_random_seed(0)
    arguments = arguments or {"side": 48, "width": 0.25}
    network = build_anomaly_cnn(name, n_classes=len(LABELS), **arguments)
    spec = AnomalyModelSpec(name, arguments, LABELS, view="head", trained_on="phantom")
    return AnomalyModel(network, spec)


def save_volume(path: Path, data, affine) -> Path:
    """Write a volume as float32 NIfTI."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(data, np.float32), affine), path)
    return path
