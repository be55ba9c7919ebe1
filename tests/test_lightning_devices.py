"""A fit on several devices, where a notebook's kernel runs it: two processes on one machine."""

import os
import subprocess
import sys

import numpy as np
import pytest
from small_slurm import free_ports

pytest.importorskip("torch")
pytest.importorskip("lightning")

FIT = """
import sys
sys.ps1 = "In: "  # as a notebook's kernel has it
import numpy as np, torch
from fetal_lib.training.segmentation_loss import bce_dice_loss
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_segmentation import Segmentation, SegmentationSettings

torch.set_num_threads(1)
masks = np.zeros((8, 32, 32), np.uint8)
masks[:, 8:20, 8:20] = 255
network = torch.nn.Conv2d(1, 1, 3, padding=1)
before = network.weight.detach().clone()
where = {"accelerator": "cpu", "devices": 2, "strategy": "STRATEGY"}
settings = SegmentationSettings(epochs=2, batch_size=2, **where)
fit_torch(sys.argv[1], network, Segmentation(masks // 2, masks, settings, bce_dice_loss))
assert not torch.equal(before, network.weight)  # what the processes learnt has come back
np.save(sys.argv[1] + "/kept.npy", network.weight.detach().numpy())
"""


def fit_on(n_nodes):
    """Return a script that fits on so many nodes, a process on each, when SLURM starts it there."""
    text = FIT.replace('"devices": 2', f'"devices": 1, "n_nodes": {n_nodes}')
    return text.replace('sys.ps1 = "In: "', "").replace("STRATEGY", "ddp")


TOLD = """
from pathlib import Path
from fetal_lib.training import torch_fit
write = torch_fit.save_torch_weights
def told(network, path):
    with open(path.parent.parent / "writers", "a") as lines:
        lines.write("one\\n")
    write(network, path)
torch_fit.save_torch_weights = told
"""


def fit(folder, strategy):
    command = [sys.executable, "-c", FIT.replace("STRATEGY", strategy), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a notebook forks its processes")
def test_two_processes_fit_one_network_and_write_one_history(tmp_path):
    from fetal_lib.training.history import WEIGHTS, read_history

    done = fit(tmp_path, "auto")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MEMBER: 2/2" in done.stderr
    assert [row["epoch"] for row in read_history(tmp_path)] == [1, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"history.jsonl", "kept.npy", WEIGHTS}
    with np.load(tmp_path / WEIGHTS) as weights:
        kept = next(weights[name] for name in weights if weights[name].ndim == 4)
    np.testing.assert_array_equal(kept, np.load(tmp_path / "kept.npy"))


@pytest.mark.slow
def test_a_notebook_is_told_which_strategy_it_can_have(tmp_path):
    done = fit(tmp_path, "ddp")
    assert done.returncode != 0 and "strategy='ddp_notebook'" in done.stderr


@pytest.mark.slow
def test_of_two_nodes_one_writes_the_weights(tmp_path):
    """As two nodes of a cluster have it: each runs the script, in one folder that both see."""
    script = fit_on(n_nodes=2).replace("import numpy", TOLD + "import numpy", 1)
    known = os.environ | {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    known["MASTER_PORT"] = str(free_ports(1)[0])
    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "fit")],
            env=known | {"NODE_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [node.communicate(timeout=120)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said[0][-2000:] + said[1][-2000:]
    assert (tmp_path / "writers").read_text() == "one\n"
