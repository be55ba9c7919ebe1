"""A trained classifier of fetal brain images in a folder, with what its answers need.

``model.json`` holds the arguments that build the network, the classes, the temperature
of its confidence, and the three limits set on the validation part: from which probability
on a class belongs to the set, below which confidence no answer is given, above which
distance an image is not like those of the training. ``weights.npz`` holds the weights,
``distance.npz`` the class means of the features, ``card.md`` what it was trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.selective import FeatureDistance, prediction_sets
from fetal_lib.models.anomaly_cnns import build_anomaly_cnn
from fetal_lib.models.head_features import build_head_features
from fetal_lib.models.weights import load_weights, save_weights
from fetal_lib.predict.brain_view import mirrored, ruler_rows
from fetal_lib.predict.keras_start import import_keras
from fetal_lib.predict.model_folder import SavedModel, Unbounded, load_model, model_spec
from fetal_lib.training.denoise import denoise_all
from fetal_lib.training.keras_forward import forward

if TYPE_CHECKING:
    import keras

SHIPPED_NETWORK = "head_features"


@model_spec
class AnomalyModelSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    network : str
        ``cnn``, ``separable_cnn`` or ``xception``; ``head_features`` for the shipped model.
    arguments : dict
        Of its builder: ``side, width`` and so on.
    labels : tuple of str
        The classes, in the order of the logits.
    view : str
        ``head`` or ``whole``: what of a scan the network sees.
    denoise : str
        Filter that views go through.
    mirrors : bool
        Answer by the mean over a view and its mirror images.
    temperature : float
        Logits are divided by it.
    set_threshold, set_coverage : float
        A class belongs to the set from this probability on, for that coverage.
    abstain_below : float
        Confidence below which there is no answer; infinite: there never is one.
    strange_above : float
        Squared feature distance above which there is no answer.
    trained_on : str
        The data, in words.
    """

    network: str
    arguments: dict
    labels: tuple[str, ...]
    view: str = "whole"
    denoise: str = "none"
    mirrors: bool = False
    temperature: float = 1.0
    set_threshold: float = 0.0
    set_coverage: float = 0.9
    abstain_below: Unbounded = 0.0
    strange_above: Unbounded = math.inf
    trained_on: str = ""

    @property
    def side(self) -> int:
        """Side in pixels of the square view."""
        return int(self.arguments["side"])


@dataclass(frozen=True)
class AnomalyAnswer:
    """What the model says of one image.

    Attributes
    ----------
    label : str
        The most probable class, also where no answer should be taken from it.
    confidence : float
        Its calibrated probability.
    runners_up : tuple of (str, float)
        The next two classes.
    candidates : tuple of str
        The conformal set: one of these, with the promised coverage.
    distance : float
        Squared feature distance to the nearest class.
    reason : str
        Why the model says "I don't know"; empty where it answers.
    level : float
        The coverage that is promised for the set.
    """

    label: str = ""
    confidence: float = math.nan
    runners_up: tuple[tuple[str, float], ...] = ()
    candidates: tuple[str, ...] = ()
    distance: float = math.nan
    reason: str = ""
    level: float = math.nan


class AnomalyModel(SavedModel):
    """A network, its spec and its feature distance: grey images in, answers out.

    Parameters
    ----------
    network : keras.Model
        (B, side, side, 1) in [0, 1] to logits (B, K), with a layer ``features``.
    spec : AnomalyModelSpec
    distance : FeatureDistance or None
        None: nothing is strange.
    """

    def __init__(
        self,
        network: keras.Model,
        spec: AnomalyModelSpec,
        distance: FeatureDistance | None = None,
    ) -> None:
        import keras

        self.network = network
        self.spec = spec
        self.distance = distance
        outputs = [network.output, network.get_layer("features").output]
        self._both = keras.Model(network.input, outputs)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels that the network takes."""
        return self.spec.side, self.spec.side

    def logits_and_features(
        self, images: np.ndarray, batch_size: int = 64, mirrors: bool | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (N, K) and features (N, F), float32; means over the mirror images.

        Parameters
        ----------
        images : ndarray, shape (N, side, side), uint8
            Views, not yet filtered.
        batch_size : int
        mirrors : bool, optional
            Instead of the spec's.
        """
        clean = denoise_all(images, self.spec.denoise)
        if not (self.spec.mirrors if mirrors is None else mirrors):
            return forward(self._both, clean, batch_size)
        strip = ruler_rows(self.spec.side) if self.spec.view == "head" else 0
        views = list(mirrored(clean, strip))
        found = forward(self._both, np.concatenate(views), batch_size)
        return tuple(out.reshape(len(views), len(clean), -1).mean(axis=0) for out in found)

    def probs(self, images: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities (N, K)."""
        return softmax(self.logits_and_features(images)[0], self.spec.temperature)

    def answer(self, images: np.ndarray, found: np.ndarray | None = None) -> list[AnomalyAnswer]:
        """Return what the model says of each image.

        Parameters
        ----------
        images : ndarray, shape (N, side, side), uint8
            Views, from :func:`fetal_lib.predict.brain_view.views_of`.
        found : ndarray, shape (N,), bool, optional
            Whether a head was found in the scan; without one there is no answer.
        """
        logits, features = self.logits_and_features(images)
        probs = softmax(logits, self.spec.temperature)
        sets = prediction_sets(probs, self.spec.set_threshold)
        far = np.zeros(len(probs)) if self.distance is None else self.distance(features)
        heads = np.ones(len(probs), bool) if found is None else np.asarray(found, bool)
        return [self._answer(*row) for row in zip(probs, sets, far, heads, strict=True)]

    def _answer(
        self, probs: np.ndarray, chosen: np.ndarray, distance: float, head: bool
    ) -> AnomalyAnswer:
        spec = self.spec
        order = np.argsort(-probs, kind="stable")
        ranked = [(spec.labels[k], float(probs[k])) for k in order]
        label, confidence = ranked[0]
        reason = ""
        if confidence < spec.abstain_below:
            reason = f"not sure: confidence {confidence:.0%} is below {spec.abstain_below:.0%}"
            if math.isinf(spec.abstain_below):
                reason = "not sure: this model was never sure enough on its validation images"
        if distance > spec.strange_above:
            reason = (
                f"not like the training images: distance {distance:.0f}, "
                f"limit {spec.strange_above:.0f}"
            )
        if not head:
            reason = "no fetal head found in the image"
        candidates = tuple(spec.labels[k] for k in order if chosen[k])
        runners = tuple(ranked[1:3])
        return AnomalyAnswer(
            label, confidence, runners, candidates, float(distance), reason, spec.set_coverage
        )

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights.npz``, and ``distance.npz`` where there is a feature distance."""
        save_weights(self.network, folder / "weights.npz")
        if self.distance is not None:
            arrays = {"means": self.distance.means, "whitener": self.distance.whitener}
            np.savez_compressed(
                folder / "distance.npz", **{k: v.astype(np.float32) for k, v in arrays.items()}
            )


def load_anomaly_model(folder: str | Path | None = None) -> AnomalyModel:
    """Load a model that :meth:`AnomalyModel.save` wrote, or the one that is shipped.

    Parameters
    ----------
    folder : path, optional
        A run's ``model/`` folder, or the run's folder.

    Raises
    ------
    ValueError
        If there is no ``model.json``, or it cannot be read.
    """
    return load_model(folder, "02_brain_anomalies", AnomalyModelSpec, _build)


def _build(spec: AnomalyModelSpec, folder: Path) -> AnomalyModel:
    import_keras()
    arguments = spec.arguments | {"n_classes": len(spec.labels)}
    if spec.network == SHIPPED_NETWORK:
        network = build_head_features(**arguments)
    else:
        network = build_anomaly_cnn(spec.network, **arguments)
    load_weights(network, folder / "weights.npz")
    return AnomalyModel(network, spec, _distance(folder / "distance.npz"))


def _distance(path: Path) -> FeatureDistance | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        return FeatureDistance(file["means"].astype(float), file["whitener"].astype(float))
