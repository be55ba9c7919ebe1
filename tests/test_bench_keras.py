"""A training step of the Keras networks with and without what makes it faster: oneDNN, and batch
normalisation in one operation."""

import os
import subprocess
import sys

import pytest
from bench import tell

from fetal_lib.files.one_dnn import VARIABLE

SLOWER = 1.1
"""What one network's timings differ by on a busy machine."""
FUSED = 0.95
"""The most that a step takes with fused normalisation, of one without."""
SCRIPT = """
import sys, time
import numpy as np
name = sys.argv[1]
if name == "unet":
    from fetal_lib.models.unet import get_unet
    network, n, loss = get_unet(128, 128, n_filters=16), 8, "binary_crossentropy"
elif name == "vgg16":
    from fetal_lib.models.vgg16_attention import get_age_network
    network, n, loss = get_age_network(48, width=0.125, n_pools=3, batch_norm=True), 8, "mse"
else:
    from fetal_lib.models.anomaly_cnns import build_anomaly_cnn
    how = {"cnn": {"width": 0.25}, "xception": {"width": 0.25, "n_middle": 1}}.get(name, {})
    network, n, loss = build_anomaly_cnn(name, n_classes=16, side=64, **how), 32, "mse"
if "fused" in sys.argv:
    from fetal_lib.training.fused_batch_norm import fuse_batch_norms
    fuse_batch_norms(network)
network.compile("adam", loss)
rng = np.random.default_rng(0)
shapes = network.input_shape if isinstance(network.input_shape, list) else [network.input_shape]
x = [rng.random((n, *shape[1:]), "float32") for shape in shapes]
y = rng.random((n, *network.output_shape[1:]), "float32")
found = []
for _ in range(10):
    start = time.process_time()
    network.train_on_batch(x if len(x) > 1 else x[0], y)
    found.append(time.process_time() - start)
print(min(found))
"""


def step_s(*arguments, one_dnn="1"):
    """Return the processor seconds of the fastest of ten steps, in a process of its own."""
    how = {VARIABLE: one_dnn, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, env=os.environ | how, check=True, capture_output=True, text=True)
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "vgg16", "cnn", "separable_cnn", "xception"])
def test_bench_onednn_makes_no_training_step_slower(name):
    pytest.importorskip("tensorflow")
    ratio = step_s(name) / step_s(name, one_dnn="0")
    print(f"\n{name}: a training step with oneDNN takes {ratio:.2f} of one without")
    what = f"{name} in Keras, training step with oneDNN, without = 1"
    tell(what, ratio, "", f"at most {SLOWER:g}")
    assert ratio <= SLOWER


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "vgg16"])
def test_bench_fused_batch_normalisation_makes_a_training_step_faster(name):
    pytest.importorskip("tensorflow")
    ratio = step_s(name, "fused") / step_s(name)
    print(f"\n{name}: a training step with fused normalisation takes {ratio:.2f} of one without")
    what = f"{name} in Keras, training step with fused batch normalisation, Keras' own = 1"
    tell(what, ratio, "", f"at most {FUSED:g}")
    assert ratio <= FUSED
