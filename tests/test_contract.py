"""Contracts of the shipped models: what programs rely on is so, and no file changes unnoted."""

import json
import shutil

import numpy as np
import pytest

from fetal_lib.predict.columns import COLUMNS
from fetal_lib.predict.contract import (
    ContractError,
    contract_problems,
    read_contract,
    renew_contract,
)
from fetal_lib.predict.model_folder import PRETRAINED
from fetal_lib.predict.onnx_network import FILE, OnnxNetwork
from fetal_lib.predict.pixel_sizes import PIXEL_SIZE_RANGE_MM

SHIPPED = sorted(path.parent for path in PRETRAINED.glob("*/model.json"))
SIDES = {"side", "height", "width", "image_size"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_model_keeps_its_contract(folder):
    contract = read_contract(folder)
    assert contract_problems(folder) == [], "see `fetal-lib book contract --help`"
    told = COLUMNS[contract.command.partition(" ")[2]] if contract.command else {}
    for one in contract.outputs:  # what is no array is a column of the command's table
        assert one.shape or one.name in told, one.name
    for one in contract.inputs:
        if one.name == "pixel_size_mm":
            assert (one.low, one.high) == PIXEL_SIZE_RANGE_MM
    spec = json.loads((folder / "model.json").read_text("utf-8"))
    sides = {v for k, v in spec.items() if k in SIDES and isinstance(v, int)}
    sizes = {size for one in contract.inputs for size in one.shape}
    assert sides <= sizes, "the side that images are brought to"


@pytest.mark.parametrize(
    "folder", [one for one in SHIPPED if (one / FILE).is_file()], ids=lambda folder: folder.name
)
def test_a_network_takes_and_gives_what_its_contract_says(folder):
    contract = read_contract(folder)
    (images,) = (one for one in contract.inputs if one.name == "images")
    (answer,) = (one for one in contract.outputs if one.shape)
    network = OnnxNetwork(folder / FILE)
    assert tuple(size for size in images.shape[1:] if size != 1) == network.shape
    given = network.forward(np.full((2, *network.shape), images.high, np.float32))
    assert given.shape == tuple(2 if isinstance(size, str) else size for size in answer.shape)
    assert str(given.dtype) == answer.dtype


def test_changed_weights_need_a_new_version_that_says_what_changes(tmp_path):
    folder = shutil.copytree(SHIPPED[0], tmp_path / SHIPPED[0].name)
    version = read_contract(folder).version
    with pytest.raises(ContractError, match=f"its files are those of version {version}"):
        renew_contract(folder, "Nothing.")
    (folder / "model.json").write_text("{}")
    assert contract_problems(folder) == [
        "the files differ from those that the newest version was noted for"
    ]
    with pytest.raises(ContractError, match="say what changes"):
        renew_contract(folder, " ")
    renewed = renew_contract(folder, "Another width.")
    assert renewed.version == version + 1 and renewed.changes[0].what == "Another width."
    assert contract_problems(folder) == [] and read_contract(folder) == renewed


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "contract.json is missing"), ('{"model": 1}', "contract.json: .*command")],
)
def test_an_unreadable_contract_is_told_with_its_model(tmp_path, text, words):
    if text:
        (tmp_path / "contract.json").write_text(text)
    with pytest.raises(ContractError, match=f"{tmp_path.name}: {words}"):
        read_contract(tmp_path)


def test_the_weights_of_ultrasound_stay_below_ten_megabytes():
    brains = {"brain_age", "gestational_age", "stack_finder"}
    files = [path for folder in SHIPPED if folder.name not in brains for path in folder.iterdir()]
    total = sum(path.stat().st_size for path in files if path.suffix in (".onnx", ".npz"))
    assert total <= 10e6, f"{total / 1e6:.2f} MB"
