"""A split as a file beside the run: which case stood where, and by what rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.files.atomic import write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "split.csv"
RULE_NAME = "split.json"
COLUMNS = ("image", "group", "part")


def write_split(
    folder: str | Path,
    images: Sequence[str],
    groups: Sequence[str],
    part: Sequence[str],
    rule: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``split.csv`` (image, group, part) and, if a rule is given, ``split.json``.

    Parameters
    ----------
    folder : path
        Made if need be.
    images, groups, part : sequence of str, length N
        ``part`` may be the number of a fold.
    rule : mapping, optional
        How the split was made: seed, shares, group rule. JSON types only.

    Returns
    -------
    Path
        Of ``split.csv``.

    Raises
    ------
    ValueError
        If lengths differ, a name stands twice, or a group stands in two parts.
    """
    import pandas as pd

    lengths = {"images": len(images), "groups": len(groups), "part": len(part)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"split: lengths differ: {lengths}; give one group and part per image.")
    columns = (list(map(str, values)) for values in (images, groups, part))
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    _check(table, "split")
    path = Path(folder) / CSV_NAME
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
    if rule is not None:
        write_json(path.with_name(RULE_NAME), dict(rule))
    return path


def read_split(folder: str | Path, images: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a written split, in the order of the given images.

    Parameters
    ----------
    folder : path
        The folder that holds ``split.csv``, or that file.
    images : sequence of str, optional
        Names that the split must cover exactly.

    Returns
    -------
    DataFrame
        ``image, group, part``, all text.

    Raises
    ------
    ValueError
        If the file is missing or damaged, a group stands in two parts, or the names differ.
    """
    import pandas as pd

    path = Path(folder)
    path = path / CSV_NAME if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"split: {path.name} is not in {path.parent}; write_split makes it.")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas raises kinds of it on damaged text
        raise ValueError(f"{path.name}: not a table ({error}); write the split again.") from error
    if list(table.columns) != list(COLUMNS):
        raise ValueError(f"{path.name}: columns {list(table.columns)}; expected {list(COLUMNS)}.")
    _check(table, path.name)
    return table if images is None else _in_order(table, list(map(str, images)), path.name)


def _check(table: pd.DataFrame, name: str) -> None:
    doubled = sorted(table.loc[table["image"].duplicated(), "image"])
    if doubled:
        raise ValueError(f"{name}: {len(doubled)} image(s) stand twice: {doubled[:10]}.")
    assert_disjoint(table["group"], table["part"])


def _in_order(table: pd.DataFrame, images: list[str], name: str) -> pd.DataFrame:
    missing = sorted(set(images) - set(table["image"]))
    extra = sorted(set(table["image"]) - set(images))
    if missing or extra:
        raise ValueError(
            f"{name}: it lacks {len(missing)} of the images {missing[:5]} and names {len(extra)} "
            f"others {extra[:5]}; a split belongs to one set of images. Split these anew."
        )
    return table.set_index("image").loc[images].reset_index()
