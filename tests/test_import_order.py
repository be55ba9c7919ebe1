"""TensorFlow after Triton, never before: the other way round ends a process."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import fetal_lib
assert not {"triton", "tensorflow"} & set(sys.modules)
import tensorflow
import triton
"""


@pytest.mark.parametrize(
    ("triton", "told"),
    [
        ("print('triton')", ["triton", "tensorflow"]),
        ("raise OSError('no driver')", ["tensorflow"]),
        (None, ["tensorflow"]),
    ],
)
def test_triton_is_loaded_before_tensorflow_where_it_is_installed(tmp_path, triton, told):
    (tmp_path / "tensorflow.py").write_text("print('tensorflow')")
    if triton:
        (tmp_path / "triton.py").write_text(triton)
    script = SCRIPT if triton == "print('triton')" else SCRIPT.replace("import triton\n", "")
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == told
