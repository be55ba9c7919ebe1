"""Models that are made in a second: what they answer is known, or they know nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 32
GA_TOLD = "29+2 weeks"
GA_INTERVAL = "196.0 to 214.0 days, 90% interval"


def make_fetus():
    """Draw the fetal brain that `fetal_age_model` knows."""
    from fetal_phantoms.fetal_brain.brain import make_fetal_brain

    return make_fetal_brain(40, ga_days=200, spacing_mm=3.0)


def fetal_age_model(fetus):
    """Make a network that answers 205 days to all that looks like one fetus."""
    from fetal_lib.data.layouts.fetal_scan import FetalScan
    from fetal_lib.models.vgg16_attention import PLANES
    from fetal_lib.predict.gestational_age_model import GaModel, GaModelSpec, reference_pictures
    from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan
    from fetal_lib.readers.volume_grid import Volume

    volume = Volume(fetus.t2, fetus.affine, (3.0,) * 3)
    scan = FetalScan("s", 200.0, "volume", volume, fetus.labels, fetus.labels > 0, {})
    cut = cut_scan(scan, 2, SIDE, True)
    pictures = reference_pictures(as_pictures(cut), np.array(["s", "s"]), np.full(2, 200.0))
    shape = {"image_size": SIDE, "n_slices": 2, "size_normalised": True, "planes": PLANES}
    shape |= {"backbone": "vgg16", "width": 0.0625, "batch_norm": True, "n_pools": 3}
    limits = {"half_width_days": 9.0, "interval_coverage": 0.9, "ga_range_days": (140.0, 266.0)}
    limits |= {"brain_ml_range": (0.8 * cut.brain_ml, 1.2 * cut.brain_ml), "min_likeness": 0.2}
    spec = GaModelSpec(**shape, **limits, hidden=8, dropout=0.0, centres=(205.0,), scales=(40.0,))
    network = spec.build()
    kernel, bias = network.get_layer("age").get_weights()
    network.get_layer("age").set_weights([0 * kernel, 0 * bias])
    return GaModel([network], spec, pictures)


def adult_age_model():
    """Make a model that tells 30 years plus 100 times the share of CSF, averaged with 50."""
    from fetal_lib.predict.age_model import AgeModel, AgeModelSpec

    norm = (0.1, 0.002, 0.0, 0.02)
    spec = AgeModelSpec(
        1.0, 0.5, 50.0, 7.0, 0.9, (18.0, 95.0), dict.fromkeys(("csf", "gray", "white"), norm)
    )
    powers = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])
    weights = np.array([-100.0, -100.0])
    maps = np.zeros((3, 45, 54, 45))
    return AgeModel(spec, maps, np.zeros(5), np.ones(5), powers, weights, 130.0)


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

    nibabel.save(nibabel.Nifti1Image(np.asarray(data, np.float32), affine), path)
    return path
