"""Train batch normalisation in one operation of TensorFlow.

Keras 3 puts it together from elementary operations, each of which goes through the whole map: a
quarter to a third of a training step of a small network on a processor. The numbers are the same
but for rounding.
"""

from __future__ import annotations

from typing import Any

import keras


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, with the same weights and statistics, faster to train on maps (B, H, W, C)."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise a map; outside training, and of other than maps, as Keras does."""
        if not training or not self.trainable or mask is not None or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        gamma, beta = (tf.convert_to_tensor(weight) for weight in (self.gamma, self.beta))
        found, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, gamma, beta, epsilon=self.epsilon
        )
        n = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
        variance = variance * ((n - 1) / n)  # Keras keeps the mean square, not the estimate
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1 - kept))
        return found


def fuse_batch_norms(network: keras.Model) -> keras.Model:
    """Let a network's batch normalisations over the last axis be trained so, in place.

    Names, weights and their order stay, and what the network says outside training. On another
    backend than TensorFlow nothing changes.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    keras.Model
        The same network.
    """
    if keras.backend.backend() == "tensorflow":
        for layer in network._flatten_layers():
            if type(layer) is keras.layers.BatchNormalization and _is_fusible(layer):
                layer.__class__ = FusedBatchNormalization
    return network


def _is_fusible(layer: keras.layers.BatchNormalization) -> bool:
    plain = not layer.renorm and not layer.synchronized
    return plain and layer.scale and layer.center and layer.axis in (-1, 3)
