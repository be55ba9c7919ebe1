"""Pack code, data and a script that starts trainings on another machine, small enough to travel.

The archive holds the packages without the shipped models, what the courses read (arrays and
tables, no folder of data), the list of packages with their versions, and `start.sh`. The script
needs Python with those packages and no network. It measures a step on that machine first, so that
the epochs are planned for it, trains each network for so many seconds, and leaves small records in
`records/`; called again, it goes on.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fetal_book.parameters.project import public_path, runs_root
from fetal_book.published_size.courses import KEPT, prepare
from fetal_book.published_size.networks import get_network
from fetal_book.published_size.piece import PieceRun
from fetal_book.published_size.record import SizeRecord
from fetal_book.published_size.settings import parameters_of
from fetal_lib.errors import UserError

CODE = ("fetal_lib", "fetal_book", "fetal_phantoms", "data_manifests")
FILES = ("pyproject.toml", "requirements.lock", "LICENSE")
LEFT_OUT = ("pretrained", "__pycache__", "site", "app")
TOP = "published_size"
MOST_MIB = 64
START = """#!/bin/sh
# start.sh [SECONDS]: train each network for so many seconds (600), or go on; records/ grows.
set -e
cd "$(dirname "$0")"
export FETAL_PROJECT="$PWD" FETAL_RUNS="$PWD/runs" FETAL_CACHE="$PWD/cache" PYTHONPATH="$PWD"
{backend}PYTHON="${{PYTHON:-python}}"
"$PYTHON" -c "import {imports}" || {{ echo "install requirements.lock first" >&2; exit 1; }}
for network in {networks}; do
    "$PYTHON" -m fetal_book size steps "$network" --records records
    "$PYTHON" -m fetal_book size train "$network" --records records --seconds "${{1:-600}}" \\
        --hours {hours} --data {data}{values}
done
tar -czf records.tar.gz records
"""


class PackError(UserError, ValueError):
    """What should travel is too large, or belongs to several chapters."""


def pack(
    out: Path,
    root: Path,
    names: Sequence[str],
    hours: float = 12,
    data: str = "",
    values: dict | None = None,
) -> Path:
    """Write the archive of networks of one chapter.

    Parameters
    ----------
    out : of the archive, ``.tar.gz``.
    root : the project's folder.
    names : of networks that share their data.
    hours : of one core, or of the card where there is one, for each network.
    data : a data set; empty: the networks' own.
    values : parameters of the chapter, over those of the profile ``long``.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    PackError
        If the networks are of several chapters, or the archive would pass 64 MiB.
    """
    chapters = {get_network(name).chapter for name in names}
    if len(chapters) != 1:
        raise PackError(f"networks {', '.join(names)}: of {len(chapters)} chapters; pack one each")
    kept = read_once(names[0], data, values or {})
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    with tarfile.open(part, "w:gz", compresslevel=9) as archive:
        for path in code_files(root):
            archive.add(path, f"{TOP}/{path.relative_to(root)}")
        for name in names:
            if name == names[0]:
                archive.add(kept, f"{TOP}/runs/published_size/{name}/{KEPT}")
            else:
                _link(archive, name, names[0])
        _add(archive, "notebooks/README", "What is trained here is in fetal_book/published_size.\n")
        _add(archive, "records/README", "Small records, a file a network.\n")
        _add(archive, "start.sh", start_text(names, hours, data, values or {}), 0o755)
    size = part.stat().st_size / 2**20
    if size > MOST_MIB:
        part.unlink()
        raise PackError(
            f"{out.name}: {size:.0f} MiB, at most {MOST_MIB}; take smaller images, such as "
            "-p image_size=128"
        )
    return part.replace(out)


def read_once(name: str, data: str, values: dict) -> Path:
    """Read what a network's course needs, or find it read; return the file."""
    network = get_network(name)
    record = SizeRecord(name, network.chapter, public_path(data or network.data), values)
    parameters = parameters_of(name, values | {"data": data or network.data})
    folder = runs_root() / "published_size" / "packed" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEPT).unlink(missing_ok=True)
    prepare(PieceRun(record, parameters, folder, folder, 0), name)
    return folder / KEPT


def code_files(root: Path) -> Iterator[Path]:
    """Yield the files of the packages that a training needs."""
    for name in CODE:
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and not set(LEFT_OUT) & set(path.relative_to(root).parts):
                yield path
    yield from (root / name for name in FILES if (root / name).is_file())


def start_text(names: Sequence[str], hours: float, data: str, values: dict) -> str:
    """Write the script that starts the trainings."""
    keras = get_network(names[0]).chapter[:2] in ("01", "02", "04")
    return START.format(
        backend='export KERAS_BACKEND="${KERAS_BACKEND:-tensorflow}"\n' if keras else "",
        imports="keras, pydantic, typer" if keras else "torch, lightning, pydantic, typer",
        networks=" ".join(names),
        hours=f"{hours:g}",
        data=public_path(data or get_network(names[0]).data),
        values="".join(f" -p {name}={value}" for name, value in values.items()),
    )


def _add(archive: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(f"{TOP}/{name}")
    content = text.encode()
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, first: str) -> None:
    """Let a network's course take what the first one read."""
    info = tarfile.TarInfo(f"{TOP}/runs/published_size/{name}/{KEPT}")
    info.type, info.linkname = tarfile.LNKTYPE, f"{TOP}/runs/published_size/{first}/{KEPT}"
    archive.addfile(info)
