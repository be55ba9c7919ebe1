"""A model is asked for the number of its own sample before its numbers are trusted."""

import math

import pytest

from fetal_lib.predict.self_test import (
    Sample,
    SelfTestError,
    first_use,
    read_sample,
    save_sample,
    self_test,
)


@pytest.fixture
def model(tmp_path):
    sample = Sample("sample.nii.gz", 40.0, 0.5, "years", "a phantom")
    folder = save_sample(tmp_path / "model", sample)
    (folder / sample.file).write_bytes(b"scan")
    return tmp_path / "model"


def test_the_expected_number_passes_and_another_or_none_fails(model):
    assert read_sample(model)[0].read_bytes() == b"scan"
    assert "passed: sample.nii.gz (a phantom) gives 40.40 years" in self_test(model, lambda _: 40.4)
    for wrong in (40.6, math.nan):
        with pytest.raises(SelfTestError, match="expected 40.00 within 0.5"):
            self_test(model, lambda _, number=wrong: number)


def test_a_model_that_passed_is_asked_again_only_when_its_files_change(model, tmp_path):
    asked = []

    def answer(path):
        asked.append(path.name)
        return 40.0

    passed = tmp_path / "passed"
    assert first_use(model, answer, passed) and not first_use(model, answer, passed)
    (model / "weights.npz").write_bytes(b"others")
    assert first_use(model, answer, passed) and len(asked) == 2
    (model / "weights.npz").write_bytes(b"damaged")
    with pytest.raises(SelfTestError):
        first_use(model, lambda _: 90.0, passed)
    assert first_use(model, answer, passed), "what failed is not remembered as passed"


def test_a_model_without_a_sample_is_used_as_it_is_and_says_so_when_asked(tmp_path):
    assert first_use(tmp_path, lambda _: 1 / 0, tmp_path / "passed") == ""
    with pytest.raises(SelfTestError, match="carries no sample"):
        self_test(tmp_path, lambda _: 1 / 0)
