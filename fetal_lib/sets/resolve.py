"""Turn a chapter's ``data`` parameter into a folder.

``phantom`` is generated (once, then cached), a manifest's name is looked for
under ``FETAL_DATA``, and anything else must be a folder. There is no silent
fall-back: what is not found is an error that says how to get it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

PHANTOM = "phantom"
COMPLETE = "complete.json"


def data_folder(data: str, make_phantoms: Callable[[Path], None], spec: dict, cache: Path) -> Path:
    """Return the folder that a ``data`` parameter names.

    Parameters
    ----------
    data : str
        ``"phantom"``, the name of a manifest, or a folder.
    make_phantoms : callable
        Writes a phantom set into the folder it is given.
    spec : dict
        What the phantom set depends on: its cache key.
    cache : Path
        Root of the cache of generated sets.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If nothing of that name exists; the message says what to do.
    """
    if data == PHANTOM:
        return cached_phantoms(make_phantoms, spec, cache)
    if Path(data).is_dir():
        return Path(data)
    root = os.environ.get("FETAL_DATA", "")
    if root and (Path(root) / data).is_dir():
        return Path(root) / data
    raise ValueError(
        f"data={data!r}: neither 'phantom', nor a folder, nor a data set under FETAL_DATA "
        f"({'which is not set' if not root else 'where it was not found'}). "
        f"`fetal-lib data fetch {Path(data).name or 'hc18'}` gets a data set that has a manifest; "
        "`-p data=phantom` uses generated images."
    )


def cached_phantoms(make_phantoms: Callable[[Path], None], spec: dict, cache: Path) -> Path:
    """Generate a phantom set, or return the one that the same spec made before.

    The set is written beside its place and renamed. One that was interrupted is written
    anew, and of two processes that write the same set at once, the first one's is kept.
    """
    key = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(cache) / "phantoms" / key
    if (folder / COMPLETE).is_file():
        return folder
    part = folder.with_name(f"{key}.part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        make_phantoms(part)
        (part / COMPLETE).write_text(json.dumps(spec, sort_keys=True, indent=1))
        if not (folder / COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted call left
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            if not (folder / COMPLETE).is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def is_phantom(data: str) -> bool:
    """Say whether a ``data`` parameter asks for generated images."""
    return data == PHANTOM
