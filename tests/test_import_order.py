"""TensorFlow after Triton: the other way round ends a process. What takes long is left out."""

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


def test_a_notebook_is_read_and_checked_without_the_grammars_of_iris():
    script = (
        "import sys\n"
        "from fetal_book.runs.quick_imports import skip_iri_grammars\n"
        "skip_iri_grammars()\n"
        "import nbformat\n"
        "notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1')])\n"
        "nbformat.validate(notebook)\n"
        "notebook.cells[0].cell_type = 'none'\n"
        "try:\n    nbformat.validate(notebook)\n"
        "except nbformat.ValidationError:\n    print('refused')\n"
        "print(*(name for name in sys.modules if name.startswith('rfc3987_syntax.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused"]
