"""A sample scan beside a model's weights, and the number that the model must give for it.

Other versions of NumPy, SciPy or a deep-learning library, or a file that was damaged on its way,
may move a number without an error. A model that carries a sample can be asked before it is
trusted: once on each installation, and whenever a user wants.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json
from fetal_lib.files.fingerprint import canonical_hash, folder_sha256

LIBRARIES = ("numpy", "scipy", "simpleitk", "keras", "tensorflow", "torch")
FOLDER, SPEC = "self_test", "expected.json"


class SelfTestError(UserError, ValueError):
    """A model does not give the number that it must give for its own sample."""


@dataclass(frozen=True)
class Sample:
    """Hold what a model must give for its sample.

    Attributes
    ----------
    file : name of the scan, beside ``expected.json`` in the model's folder ``self_test/``.
    expected, tolerance : the number and by how much another may differ, in the unit.
    unit : such as ``years``.
    source : where the scan is from and its licence, in words.
    """

    file: str
    expected: float
    tolerance: float
    unit: str
    source: str


def save_sample(model: str | Path, sample: Sample) -> Path:
    """Write what a sample must give; return the folder in which its scan must lie."""
    folder = Path(model) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SPEC, asdict(sample))
    return folder


def read_sample(model: str | Path) -> tuple[Path, Sample] | None:
    """Return the path of a model's sample scan and what it must give; None if it has none."""
    folder = Path(model) / FOLDER
    if not (folder / SPEC).is_file():
        return None
    try:
        sample = Sample(**json.loads((folder / SPEC).read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise SelfTestError(f"{SPEC} of the self-test cannot be read ({error})") from error
    return folder / sample.file, sample


def self_test(model: str | Path, answer: Callable[[Path], float]) -> str:
    """Ask a model for the number of its own sample; return what was found, as a sentence.

    Parameters
    ----------
    model : folder that holds ``model.json``.
    answer : takes the path of a scan and returns the number, NaN when it is declined.

    Raises
    ------
    SelfTestError
        If there is no sample, or the number is not the expected one.
    """
    found = read_sample(model)
    if found is None:
        raise SelfTestError("self-test: this model carries no sample; the shipped one does.")
    path, sample = found
    number = answer(path)
    words = (
        f"{sample.file} ({sample.source}) gives {number:.2f} {sample.unit}, "
        f"expected {sample.expected:.2f} within {sample.tolerance:g}"
    )
    if not abs(number - sample.expected) <= sample.tolerance:  # NaN too
        raise SelfTestError(
            f"self-test failed: {words}. Do not use its numbers: install the versions of "
            "requirements.lock and fetch the model again."
        )
    return f"self-test passed: {words}"


def first_use(model: str | Path, answer: Callable[[Path], float], passed: Path) -> str:
    """Test a model unless it passed here before; return the sentence, empty if it did or cannot.

    Parameters
    ----------
    model, answer : as in `self_test`.
    passed : folder that remembers what passed; it is created when missing. Other files in the
        model's folder, or other versions of Python's packages, are tested anew.
    """
    if read_sample(model) is None:
        return ""
    mark = passed / _state(Path(model))
    if mark.is_file():
        return ""
    words = self_test(model, answer)
    with suppress(OSError):  # a folder that cannot be written: it is tested again
        passed.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{words}\n", encoding="utf-8")
    return words


def _state(model: Path) -> str:
    """Return a name for the files of a model and what they are computed with."""
    found = {"files": folder_sha256(model), "python": platform.python_version()}
    for name in ("fetal-lib", *LIBRARIES):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return canonical_hash(found)
