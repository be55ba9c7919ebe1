"""A person at a terminal reads what the command says, and nothing of what TensorFlow says."""

import os
import subprocess
import sys

import pytest


def test_what_is_written_meanwhile_is_led_aside_and_the_stream_comes_back(capfd):
    from fetal_lib.predict.keras_start import _errors_aside

    with _errors_aside():
        os.write(2, b"I0000 port.cc: oneDNN custom operations are on\n")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
    with pytest.raises(ImportError), _errors_aside():
        raise ImportError
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


@pytest.mark.slow
def test_a_command_that_loads_keras_leaves_the_stream_of_errors_empty(tmp_path):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("tensorflow")
    from fetal_phantoms.head import make_head

    phantom = make_head(3)
    cv2.imwrite(str(tmp_path / "scan.png"), phantom.image)
    command = ["predict", "hc", "scan.png", "--pixel-size", str(phantom.pixel_size_mm)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "fetal_book", *command],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 measured")
