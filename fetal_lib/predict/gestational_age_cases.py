"""Find the brains in what a user names: volumes, folders of them, and slices as pictures.

A volume takes the mask that lies beside it (``NAME_mask.nii.gz``, ``mask.nii.gz``). Pictures are
of one brain when their names differ in the plane only, or when they lie in ``axial/``,
``coronal/`` and ``sagittal/`` of one folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.data.images import IMAGE_ENDINGS
from fetal_lib.data.layouts.bids import VOLUMES
from fetal_lib.data.layouts.fetal_atlas import is_labels
from fetal_lib.data.layouts.fetal_scan import FetalScan, read_volume_scan
from fetal_lib.data.layouts.slices import slice_paths
from fetal_lib.data.plane_slices import PLANES
from fetal_lib.readers.image import read_gray

PLANE = re.compile("|".join(PLANES), re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """Name one brain.

    Attributes
    ----------
    name : for the table and the picture.
    path : of the volume, or None for pictures.
    mask_path : of its mask, or None.
    pictures : files of each plane, in order; empty for a volume.
    """

    name: str
    path: Path | None = None
    mask_path: Path | None = None
    pictures: Mapping[str, Sequence[Path]] = field(default_factory=dict)


def list_cases(inputs: Sequence[str | Path]) -> list[Case]:
    """Return the brains that paths name.

    Parameters
    ----------
    inputs : NIfTI files, pictures, a folder with ``axial/``, ``coronal/`` and ``sagittal/``, or
        folders that hold any of these.

    Raises
    ------
    ValueError
        If a path does not exist or is of no known kind, or nothing is found; all are named.
    """
    cases: list[Case] = []
    pictures: list[Path] = []
    wrong: list[str] = []
    for item in map(Path, inputs):
        if item.is_dir():
            cases += _in_folder(item)
        elif not item.is_file():
            wrong.append(f"{item} (no such file or folder)")
        elif item.name.lower().endswith(VOLUMES):
            cases.append(Case(item.name, item, _mask_of(item)))
        elif item.suffix.lower() in IMAGE_ENDINGS and PLANE.search(item.name):
            pictures.append(item)
        else:
            wrong.append(f"{item} (neither NIfTI nor a picture with axial, ... in its name)")
    if wrong:
        raise ValueError(f"scans: {'; '.join(wrong[:10])}.")
    cases += _by_name(pictures)
    if not cases:
        raise ValueError(
            f"scans: no {' or '.join(VOLUMES)} file, and no folder with axial/, coronal/ and "
            "sagittal/, in what was given."
        )
    return cases


def read_case(case: Case) -> FetalScan:
    """Read a volume with its mask, or pictures; the age is unknown.

    Raises
    ------
    ValueError
        If a file cannot be read, or a plane has no picture.
    """
    if case.path is not None:
        return read_volume_scan(
            case.name, case.path, float("nan"), "volume", mask_path=case.mask_path
        )
    pictures = {
        plane: tuple(read_gray(path) for path in case.pictures.get(plane, ())) for plane in PLANES
    }
    return FetalScan(case.name, float("nan"), "slices", None, None, None, pictures)


def _in_folder(folder: Path) -> list[Case]:
    """Return the brains in a folder: its planes, those of its subfolders, or its volumes."""
    homes = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = []
    for home in homes:
        planes = {plane: slice_paths(home, plane) for plane in PLANES}
        if any(planes.values()):
            found.append(Case(home.name, pictures=planes))
    if found:
        return found
    volumes = [path for path in sorted(folder.rglob("*")) if _is_image(path)]
    t2 = [path for path in volumes if "_T2w" in path.name]
    names = [path.relative_to(folder).as_posix() for path in t2 or volumes]
    return [
        Case(name, path, _mask_of(path)) for name, path in zip(names, t2 or volumes, strict=True)
    ]


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(VOLUMES) and not is_labels(path) and name[0] != "."


def _mask_of(path: Path) -> Path | None:
    """Return the mask of a volume: of its name, or the only mask beside the only volume."""
    stem = path.name.split(".", 1)[0].removesuffix("_T2w")
    near = [p for p in sorted(path.parent.iterdir()) if p.name.lower().endswith(VOLUMES)]
    masks = [p for p in near if "mask" in p.name.lower() and p != path]
    own = [p for p in masks if p.name.startswith(stem)]
    if own:
        return own[0]
    alone = sum(_is_image(p) for p in near) == 1
    return masks[0] if alone and len(masks) == 1 else None


def _by_name(paths: Sequence[Path]) -> list[Case]:
    """Group pictures whose names are alike but for the plane and a number at the end."""
    cases: dict[tuple[Path, str], dict[str, list[Path]]] = {}
    for path in sorted(paths):
        found = PLANE.search(path.stem)
        rest = PLANE.sub("", path.stem, count=1)
        name = re.sub(r"[-_ ]*\d*$", "", rest).strip("-_ ") or path.parent.name
        planes = cases.setdefault((path.parent, name), {})
        planes.setdefault(found.group().lower(), []).append(path)
    return [Case(name, pictures=planes) for (_, name), planes in cases.items()]
