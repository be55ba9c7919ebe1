"""Keep fits by what they rest on: finished ones are reused, killed ones go on where they were.

A fit whose files were damaged is dropped and trained from the start.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fetal_lib.files.atomic import plain, read_json, write_json
from fetal_lib.files.fingerprint import canonical_hash, file_sha256, module_hashes, with_imports
from fetal_lib.training.history import DamagedFit

SCHEMA = 1
BOOKKEEPING_FILES = ("spec.json", "done.json")


@dataclass(frozen=True)
class FitSpec:
    """Hold all that decides what a fit will be.

    Parameters
    ----------
    model : dict
        What the network is: its name and the numbers it is built from.
    data : JSON value
        Fingerprint of the training data, splits and preprocessing included.
    hyper_parameters : dict
        How it is trained.
    seed : int
    code : tuple of str
        Modules that hold the network and the training; what they import from fetal_lib counts
        too, comments and docstrings don't.

    Examples
    --------
    >>> one = FitSpec({"name": "unet"}, "ab12", {"epochs": 2}, seed=0)
    >>> two = FitSpec({"name": "unet"}, "ab12", {"epochs": 3}, seed=0)
    >>> one.key() == two.key()
    False
    """

    model: dict[str, Any]
    data: Any
    hyper_parameters: dict[str, Any]
    seed: int
    code: tuple[str, ...] = ()

    def modules(self) -> dict[str, str]:
        """Return the hashes of the code that the fit rests on, `{module: sha256}`."""
        module_hashes(self.code)
        return module_hashes(with_imports(self.code))

    def document(self) -> dict[str, Any]:
        """Return the specification as JSON content."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "data": self.data,
            "hyper_parameters": self.hyper_parameters,
            "seed": self.seed,
            "modules": self.modules(),
        }

    def key(self) -> str:
        """Return the sha256 of the specification."""
        return canonical_hash(self.document())


@dataclass(frozen=True)
class FitOutcome:
    """Say where a fit is and how it came to be.

    Parameters
    ----------
    folder : Path
        The weights, checkpoints and history that the fit function wrote.
    key : str
    state : "fitted", "resumed" or "reused"
    train_s : float
        Seconds that training took when it was done, earlier sittings included where
        `history.jsonl` has `seconds`.
    modules : tuple of str
        The code that the fit rests on.
    """

    folder: Path
    key: str
    state: Literal["fitted", "resumed", "reused"]
    train_s: float
    modules: tuple[str, ...] = field(default=())


class FitCache:
    """Find fits by key under `<root>/fits/<key>/`.

    Parameters
    ----------
    root : Path
        The cache folder, such as `fetal_book.parameters.project.cache_root()`.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root) / "fits"

    def fit_or_reuse(
        self,
        spec: FitSpec,
        fit: Callable[[Path], None],
        refit: bool = False,
        say: Callable[[dict[str, Any]], None] | None = None,
    ) -> FitOutcome:
        """Reuse a finished fit, resume an unfinished one, or train.

        Two processes that want the same fit take turns: the second one reuses it.

        Parameters
        ----------
        spec : FitSpec
        fit : callable
            `fit(folder)` trains into the folder, goes on from what it finds there, and returns
            when it is done. If it raises or is killed, what it wrote stays for the next time;
            if it raises `DamagedFit`, the folder is emptied and it is called once more.
        refit : bool
            Drop what is there, and train from the start.
        say : callable, optional
            Receives `{"event": "fit", "state": ..., "key": ...}`, such as `run.progress`.

        Returns
        -------
        FitOutcome
        """
        from filelock import FileLock, Timeout

        tell = say or (lambda event: None)
        document = json.loads(json.dumps(spec.document(), default=plain))
        key = canonical_hash(document)
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            tell({"event": "fit", "state": "waiting", "key": key[:12]})
            lock.acquire()
        try:
            return self._fit(document, key, fit, refit, tell)
        finally:
            lock.release()

    def _fit(
        self,
        document: dict[str, Any],
        key: str,
        fit: Callable[[Path], None],
        refit: bool,
        tell: Callable[[dict[str, Any]], None],
    ) -> FitOutcome:
        folder = self.root / key
        modules = tuple(document["modules"])
        if refit and folder.exists():
            shutil.rmtree(folder)
        done = read_done(folder)
        if done is not None:
            tell({"event": "fit", "state": "reused", "key": key[:12]})
            return FitOutcome(folder, key, "reused", done["train_s"], modules)
        damaged = {"event": "fit", "state": "damaged", "key": key[:12]}
        if (folder / "done.json").exists():
            tell(damaged)
            shutil.rmtree(folder)
        state: Literal["fitted", "resumed"] = "resumed" if _has_work(folder) else "fitted"
        start = time.monotonic()
        try:
            tell({"event": "fit", "state": state, "key": key[:12]})
            _work(folder, document, fit)
        except DamagedFit:
            tell(damaged)
            shutil.rmtree(folder)
            state = "fitted"
            _work(folder, document, fit)
        train_s = train_seconds(folder, time.monotonic() - start)
        write_done(folder, key, train_s)
        return FitOutcome(folder, key, state, train_s, modules)


def _work(folder: Path, document: dict[str, Any], fit: Callable[[Path], None]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "spec.json", document)
    fit(folder)


def _has_work(folder: Path) -> bool:
    return folder.is_dir() and any(
        path.is_file() and path.name != "spec.json" and not path.name.endswith(".part")
        for path in folder.rglob("*")
    )


def train_seconds(folder: Path, measured_s: float) -> float:
    """Return the training time: the sum of `seconds` in history.jsonl, or what was measured.

    The history also knows the epochs of a sitting that was killed.
    """
    try:
        lines = (folder / "history.jsonl").read_text("utf-8").splitlines()
        return round(sum(float(json.loads(line)["seconds"]) for line in lines if line.strip()), 3)
    except (OSError, ValueError, KeyError, TypeError):
        return round(measured_s, 3)


def write_done(folder: Path, key: str, train_s: float) -> None:
    """Mark a fit as finished, with the hashes of its files."""
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in BOOKKEEPING_FILES
    }
    write_json(folder / "done.json", {"key": key, "train_s": train_s, "files": files})


def read_done(folder: Path) -> dict[str, Any] | None:
    """Return the mark of a finished fit; None if there is none or a file is missing or changed."""
    done = read_json(folder / "done.json")
    if not isinstance(done, dict) or not isinstance(done.get("files"), dict):
        return None
    for name, sha256 in done["files"].items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            return None
    return done
