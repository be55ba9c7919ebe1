"""Fetal and brain imaging: what a researcher imports (nothing heavy loads here)."""

from fetal_lib.files.import_order import load_triton_before_tensorflow
from fetal_lib.files.one_dnn import choose_one_dnn

__version__ = "0.1.0"

load_triton_before_tensorflow()
choose_one_dnn()
