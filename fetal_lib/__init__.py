"""Fetal and brain imaging: what a researcher imports (nothing heavy loads here)."""

from fetal_lib.files.import_order import load_triton_before_tensorflow

__version__ = "0.1.0"

load_triton_before_tensorflow()
