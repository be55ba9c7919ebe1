"""The finder of the brain in raw stacks, and ages from stacks that have no mask.

Its own phantoms are reserved; those here are others.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest
from made_up_models import save_volume
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch

from fetal_book.chapters.gestational_age.stack_finder_card import empty_stacks, on_axes
from fetal_book.cli.predict import app
from fetal_lib.metrics.segmentation import dice
from fetal_lib.models.stack_unet import StackUNet, stack_network_to_onnx
from fetal_lib.predict.gestational_age_cases import Case
from fetal_lib.predict.gestational_age_reading import GaReading
from fetal_lib.predict.gestational_age_stacks import stacks_by_fetus, together, write_stack_ages
from fetal_lib.predict.onnx_network import OnnxVolumeNetwork
from fetal_lib.predict.stack_finder import (
    StackFinder,
    StackFinderSpec,
    load_stack_finder,
    resampled,
    slice_axis,
)
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.painted_stacks import draw_stack, head_of
from fetal_phantoms.fetal_brain.stacks import make_stacks

DAYS = 210.0


@pytest.fixture(scope="module")
def finder():
    return load_stack_finder()


@pytest.fixture(scope="module")
def phantom():
    return make_fetal_brain(71, ga_days=DAYS, spacing_mm=1.5, surroundings=True)


@pytest.fixture(scope="module")
def head():
    return head_of(make_fetal_brain(72, ga_days=180.0, spacing_mm=2.5, surroundings=True))


@pytest.fixture(scope="module")
def mother(head):
    """Return a stack in which there is no head."""
    return next(empty_stacks([head]))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("how", ["as it is", "inverted", "thick, much motion", "thin"])
def test_the_brain_is_found_and_nothing_else(finder, phantom, plane, how):
    more = {"thickness_mm": 5.0, "motion": 3.0} if "thick" in how else {}
    more |= {"thickness_mm": 2.0, "in_plane_mm": 2.0} if how == "thin" else {}
    volume, true = on_axes(make_stacks(phantom, 71, (plane,), **more)[0])
    if how == "inverted":
        volume.data[:] = volume.data.max() - volume.data
    assert dice(true, finder.find(volume)) > (0.75 if how == "inverted" else 0.85)


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_a_network_that_answers_one_thing_finds_nothing_or_all(phantom, answer):
    """So a test that asks for the brain's own outline fails for both."""

    class Network:
        def forward(self, slices):
            return np.full((1, *slices.shape), answer, np.float32)

    volume, true = on_axes(make_stacks(phantom, 71, ("axial",))[0])
    found = StackFinder(Network(), StackFinderSpec(3.0, 2.2, 64, 0.5, 15.0)).find(volume)
    assert found.mean() == answer and dice(true, found) < 0.7


def test_a_stack_and_its_answer_lie_on_the_same_grid():
    """A ball that comes back through both changes of grid lies where it was."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in (90, 30, 71)), indexing="ij")
    ball = ((x - 40) ** 2 + (3 * (y - 14)) ** 2 + (z - 30) ** 2 < 25**2).astype(np.float32)
    slices = np.moveaxis(ball, slice_axis((1.0, 3.0, 1.0)), 0)
    back = resampled(resampled(slices, (30, 32, 26)), slices.shape)
    assert dice(slices > 0, back > 0.5) > 0.97


def test_the_network_has_its_size_learns_everywhere_and_is_exported_as_it_is():
    network = StackUNet()
    assert sum(one.numel() for one in network.parameters()) == 156_337
    stack = torch.rand(1, 1, 7, 24, 40)
    network(stack).square().mean().backward()
    assert all(one.grad.abs().sum() > 0 for one in network.parameters())
    exported = OnnxVolumeNetwork(stack_network_to_onnx(network), 1).forward(stack[0, 0].numpy())
    with torch.inference_mode():
        own = network.eval()(stack).sigmoid()[0].numpy()
    np.testing.assert_allclose(exported, own, atol=5e-3)


def test_drawn_stacks_follow_the_seed_and_show_a_head_or_none(head):
    drawn = [draw_stack(head, np.random.default_rng(k)) for k in range(20)]
    again = draw_stack(head, np.random.default_rng(3))
    np.testing.assert_array_equal(again.image, drawn[3].image)
    shares = np.array([one.brain.mean() for one in drawn])
    assert 1 <= (shares == 0).sum() <= 10 and shares.max() < 0.6
    assert all(np.isfinite(one.image).all() and one.image.min() >= 0 for one in drawn)


@pytest.mark.parametrize(
    ("names", "fetuses"),
    [
        (["f1_axial", "f1_coronal", "f2_axial"], {"f1": 2, "f2": 1}),
        (["sub-1_run-1_T2w", "sub-1_run-2_T2w"], {"sub-1_T2w": 2}),
        (["sub-1_acq-ax_run-01_T2w", "sub-1_acq-sag_run-02_T2w"], {"sub-1_T2w": 2}),
        (["stack1", "stack-2", "stack_3"], {"folder": 3}),
        (["case_1", "case_2"], {"case_1": 1, "case_2": 1}),
    ],
)
def test_stacks_of_one_fetus_are_told_by_their_names(tmp_path, names, fetuses):
    cases = [Case(f"{name}.nii.gz", tmp_path / "folder" / f"{name}.nii.gz") for name in names]
    assert {name: len(some) for name, some in stacks_by_fetus(cases)} == fetuses


def test_stacks_together_are_the_median_of_those_that_were_told():
    told = [GaReading(days, days - 9, days + 9, brain_ml=days) for days in (200.0, 210.0, 260.0)]
    whole = together([*told, GaReading(reason="no brain")])
    assert (whole.ga_days, whole.low_days, whole.brain_ml) == (210.0, 201.0, 210.0)
    assert "none of its 1 stacks" in together([GaReading(reason="no brain")]).reason


def test_stacks_without_masks_are_told_and_a_mother_alone_is_declined(
    phantom, mother, tmp_path, monkeypatch
):
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    scans = tmp_path / "scans"
    for stack in make_stacks(phantom, 71):
        save_volume(scans / f"f1_{stack.plane}.nii.gz", stack.data, stack.affine)
    save_volume(scans / "mother.nii.gz", mother.data, mother.affine)
    out, pictures = tmp_path / "t.csv", tmp_path / "p"
    asked = ["ga", "--raw-stacks", str(scans), "--out", str(out), "--pictures", str(pictures)]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0, run.output
    assert "self-test passed: phantom_stack.nii.gz" in run.output
    rows = {row["scan"]: row for row in csv.DictReader(out.open())}
    assert rows["mother.nii.gz"]["status"] == "declined" and rows["mother.nii.gz"]["reason"]
    stacks = [row for name, row in rows.items() if name.startswith("f1_")]
    ages = [float(row["ga_days"]) for row in stacks if row["ga_days"]]
    assert all(row["reason"] for row in stacks if not row["ga_days"])
    whole = rows["f1 (3 stacks together)"]
    assert ages and float(whole["ga_days"]) == pytest.approx(np.median(ages), abs=0.1)
    assert float(whole["low_days"]) < DAYS < float(whole["high_days"])
    true_ml = phantom.volumes_ml["total"]
    assert float(whole["brain_ml"]) == pytest.approx(true_ml, rel=0.12)
    assert len(rows) == 5 and len(stacks) == 3
    assert (pictures / "f1_coronal.png").stat().st_size > 10_000


def test_a_mask_beside_a_stack_is_taken(phantom, tmp_path):
    class Blind:
        def find(self, volume):
            raise AssertionError("a stack with a mask needs no finder")

    class Model:
        spec = type("Spec", (), {"interval_coverage": 0.9})

        def read(self, scan):
            return GaReading(200.0, 190.0, 210.0, brain_ml=float(scan.mask.sum()))

    stack = make_stacks(phantom, 71, ("axial",))[0]
    path = save_volume(tmp_path / "a.nii.gz", stack.data, stack.affine)
    mask = save_volume(tmp_path / "a_mask.nii.gz", stack.labels > 0, stack.affine)
    fetuses = stacks_by_fetus([Case("a.nii.gz", path, mask)])
    assert write_stack_ages(fetuses, Model(), Blind(), tmp_path / "t.csv")["predicted"] == 1
