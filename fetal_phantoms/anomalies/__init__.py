"""Sixteen classes of fetal brain on ultrasound, each drawn by what defines it."""

from fetal_phantoms.anomalies.labels import DEFINITIONS, LABELS, PLANES
from fetal_phantoms.anomalies.phantom import IMAGE_SIZE, AnomalyPhantom, make_anomaly
from fetal_phantoms.anomalies.section import TISSUES
from fetal_phantoms.anomalies.write import GENERATOR_VERSION, write_anomaly_set

__all__ = [
    "DEFINITIONS",
    "GENERATOR_VERSION",
    "IMAGE_SIZE",
    "LABELS",
    "PLANES",
    "TISSUES",
    "AnomalyPhantom",
    "make_anomaly",
    "write_anomaly_set",
]
