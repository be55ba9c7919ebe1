"""TensorFlow's kernels: oneDNN's on x86, unless the user or another processor says otherwise."""

import os

import pytest

from fetal_lib.files.one_dnn import VARIABLE, choose_one_dnn


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [
        ("x86_64", None, "1"),
        ("AMD64", None, "1"),
        ("x86_64", "0", "0"),
        ("arm64", None, None),
        ("aarch64", "1", "1"),
    ],
)
def test_x86_asks_for_it_and_the_user_has_the_last_word(monkeypatch, machine, before, after):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv(VARIABLE, "to be taken back at the end")
    monkeypatch.delenv(VARIABLE)
    if before:
        monkeypatch.setenv(VARIABLE, before)
    choose_one_dnn()
    assert os.environ.get(VARIABLE) == after
