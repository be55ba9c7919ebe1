"""Make a release of the built site: archive, sums, manifest, citation, metadata for a DOI."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fetal_book.runs.machine import code_state, environment
from fetal_book.runs.record import RECORD_FILE, read_record
from fetal_book.site.jobs import book_chapters, published_results, run_folder
from fetal_book.site.release_checks import release_problems
from fetal_book.site.release_metadata import CITATION, read_citation, release_name, zenodo_metadata
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_bytes
from fetal_lib.files.fingerprint import file_sha256

SCHEMA = 1
SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
ZENODO = ".zenodo.json"
ZENODO_BESIDE = "zenodo.json"  # code hosts rename hidden files that are attached to a release


def make_release(root: Path, out: Path, allow_dirty: bool = False) -> list[Path]:
    """Pack the site with what says where it comes from.

    The archive holds the site under `site/`, the licence, CITATION.cff, `.zenodo.json` and
    `manifest.json`; the last three lie beside it as well, `zenodo.json` without its dot, and
    SHA256SUMS of all. Nothing in them tells the time of packing: the same site at the same commit
    gives the same bytes.
    """
    citation, code = read_citation(root), code_state(root)
    problems = release_problems(root, code, allow_dirty)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise UserError(f"nothing was released, for {len(problems)} reason(s):\n{listed}")
    time = commit_time(root) if code["commit"] else 0
    day = datetime.fromtimestamp(time, UTC).date().isoformat() if time else None
    site = root / "book" / "_build" / "html"
    paths = [path for path in site.rglob("*") if path.is_file()]
    files = {f"site/{path.relative_to(site).as_posix()}": path.read_bytes() for path in paths}
    files |= {name: (root / name).read_bytes() for name in (CITATION, "LICENSE")}
    files[ZENODO] = json_bytes(zenodo_metadata(citation, day))
    files[MANIFEST] = json_bytes(release_manifest(root, citation, code, day, files))
    name = release_name(citation)
    beside = {f"{name}.tar.gz": pack(files, name, time)}
    beside |= {part: files[part] for part in (MANIFEST, CITATION)}
    beside[ZENODO_BESIDE] = files[ZENODO]
    for part, content in beside.items():
        write_bytes(out / part, content)
    sums = "".join(f"{sha256(content)}  {part}\n" for part, content in beside.items())
    write_bytes(out / SUMS, sums.encode())
    return [out / part for part in (*beside, SUMS)]


def release_manifest(
    root: Path,
    citation: dict[str, Any],
    code: dict[str, Any],
    day: str | None,
    files: dict[str, bytes],
) -> dict[str, Any]:
    """Say what a release holds and what it rests on: code, runs, packages, sums of files."""
    shown = [(run_folder(root, name), "page") for name in book_chapters(root)]
    kept = [(root / path).parent for path in published_results(root)]
    shown += [(folder, f"reference run {folder.name}") for folder in kept]
    return {
        "schema": SCHEMA,
        "title": citation["title"],
        "version": str(citation["version"]),
        "commit": code["commit"],
        "committed": day,
        "dirty": code["dirty"],
        "lock_sha256": file_sha256(root / "requirements.lock"),
        "runs": [run_entry(folder, where) for folder, where in shown],
        "packages": environment(),
        "files": [
            {"path": name, "bytes": len(files[name]), "sha256": sha256(files[name])}
            for name in sorted(files)
        ],
    }


def run_entry(folder: Path, where: str) -> dict[str, Any]:
    """Describe a run that the site shows, by its record."""
    record = read_record(folder)
    if record is None:
        raise UserError(f"{folder.name}: {RECORD_FILE} is missing; publish the run again")
    return {
        "chapter": record.chapter,
        "shown_as": where,
        "profile": record.profile,
        "data": record.data,
        "seed": record.parameters.get("seed", {}).get("value"),
        "started": record.started,
        "finished": record.finished,
        "commit": record.code.get("commit"),
        "dirty": record.code.get("dirty"),
        "versions": record.versions,
        "record_sha256": file_sha256(folder / RECORD_FILE),
        "results_sha256": file_sha256(folder / "results.json"),
    }


def commit_time(root: Path) -> int:
    """Return when the commit that is checked out was made, in seconds since 1970."""
    command = ["git", "-C", str(root), "show", "--no-patch", "--format=%ct", "HEAD"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def pack(files: Mapping[str, bytes], top: str, time: int) -> bytes:
    """Pack files below a folder of an archive, all of one time: same content, same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(files):
                member = tarfile.TarInfo(f"{top}/{name}")
                member.size, member.mtime, member.mode = len(files[name]), time, 0o644
                archive.addfile(member, io.BytesIO(files[name]))
    return packed.getvalue()


def sha256(content: bytes) -> str:
    """Return the sha256 of some bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def json_bytes(content: Any) -> bytes:
    """Return JSON as it is written to a file: two spaces of indent, UTF-8, a line feed."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
