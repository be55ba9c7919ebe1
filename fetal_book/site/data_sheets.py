"""Write data sheets: one for each data set, from its manifest, and one for each kind of phantom."""

from __future__ import annotations

import functools
from pathlib import Path

from fetal_book.parameters.base import PROFILES
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.site.cards import PhantomText, read_cards
from fetal_lib.data.catalogue import read_manifest
from fetal_lib.data.manifest import UNKNOWN, DataFile, Manifest
from fetal_lib.files.atomic import write_text

ACCESS = {
    "open": "open, fetched by `fetal-lib data fetch`",
    "registration": "after registration, by hand",
    "request": "on request, by hand",
    "own": "your own",
}


def write_data_sheets(root: Path, chapters: list[str]) -> None:
    """Write the data sheets into ``book/generated``: public sets, phantoms, own layouts."""
    manifests = [read_manifest(path) for path in sorted((root / "data_manifests").glob("*.yml"))]
    phantoms = read_cards(root / "book").phantoms
    sheets = {
        "data_sheets": [sheet(one, chapters) for one in manifests if one.access != "own"],
        "phantom_sheets": [phantom_sheet(one, chapters) for one in phantoms],
        "own_layouts": [sheet(one, chapters) for one in manifests if one.access == "own"],
    }
    for name, texts in sheets.items():
        write_text(root / "book" / "generated" / f"{name}.md", "\n".join(texts) or "None.\n")


def sheet(manifest: Manifest, chapters: list[str]) -> str:
    """Write a data set's sheet, all of it from its manifest; ``unknown`` stays unknown."""
    facts = {
        "Name here": f"`{manifest.name}`",
        "Kind": manifest.kind.replace("mri", "MRI"),
        "Chapters": chapter_links(manifest.chapters, chapters),
        "Version": manifest.version,
        "DOI": doi_text(manifest.doi),
        "Page": "none" if manifest.url == "none" else f"<{manifest.url}>",
        "Licence": manifest.licence,
        "Access": access_text(manifest),
        "May not be split": manifest.subject_rule,
        "Splits": manifest.splits,
    }
    if manifest.access == "own":
        for name in ("Version", "DOI", "Page", "Licence"):
            del facts[name]
    lines = ["| | |", "|---|---|", *(f"| **{k}** | {_cell(v)} |" for k, v in facts.items())]
    parts = [f"### {manifest.title}\n", "\n".join(lines) + "\n"]
    if manifest.files:
        parts.append(files_table(manifest.files))
    parts.append(f"What the folder holds:\n\n```text\n{manifest.layout.rstrip()}\n```\n")
    if manifest.columns:
        columns = [f"- `{name}`: {words}" for name, words in manifest.columns.items()]
        parts.append("Columns:\n\n" + "\n".join(columns) + "\n")
    if manifest.how_to:
        steps = [f"{i}. {_cell(step)}" for i, step in enumerate(manifest.how_to, 1)]
        parts.append("How to get it ready:\n\n" + "\n".join(steps) + "\n")
    problems = [f"- {_cell(one)}" for one in manifest.known_problems] or ["- none known"]
    parts.append("Known problems:\n\n" + "\n".join(problems) + "\n")
    if manifest.access != "own":
        parts.append(f"Cite as: {_cell(manifest.citation)}\n")
    return "\n".join(parts)


def access_text(manifest: Manifest) -> str:
    """Say how a data set is got."""
    by_hand = manifest.access == "open" and not manifest.files
    return "open, fetched by hand" if by_hand else ACCESS[manifest.access]


def files_table(files: tuple[DataFile, ...]) -> str:
    """Write what is fetched: names, sizes, and the checksum that is compared."""
    lines = ["| File | Bytes | Checksum |", "|---|---|---|"]
    for one in files:
        size = one.bytes if one.bytes == UNKNOWN else f"{one.bytes:,}"
        lines.append(f"| `{one.name}` | {size} | {checksum_text(one)} |")
    return "\n".join(lines) + "\n"


def checksum_text(file: DataFile) -> str:
    """Name the checksum of a file, the stronger where both are known."""
    for kind, value in (("SHA-256", file.sha256), ("MD5", file.md5)):
        if value != UNKNOWN:
            return f"{kind} `{value}`"
    return "unknown; recorded at the first fetch and compared ever after"


def doi_text(doi: str) -> str:
    """Link a DOI; what is no DOI stays as it is.

    Examples
    --------
    >>> doi_text("10.5281/zenodo.1327317"), doi_text("unknown")
    ('[10.5281/zenodo.1327317](https://doi.org/10.5281/zenodo.1327317)', 'unknown')
    """
    return f"[{doi}](https://doi.org/{doi})" if doi.startswith("10.") else doi


def chapter_links(names: tuple[str, ...] | list[str], chapters: list[str]) -> str:
    """Name chapters by their numbers, with a link where there is a page."""
    return ", ".join(
        f"[{name[:2]}](../notebooks/{name})" if name in chapters else name[:2]
        for name in sorted(names)
    )


def phantom_sheet(text: PhantomText, chapters: list[str]) -> str:
    """Write the sheet of a kind of phantoms; how many are drawn comes from the parameters."""
    facts = {
        "Made by": f"`fetal-lib phantoms {text.name} FOLDER`, from a seed",
        "Chapters": chapter_links(text.chapters, chapters),
        "How many": "; ".join(_counts(chapter, text.count) for chapter in text.chapters),
        "Drawn from": text.drawn_from,
        "Truth that comes with it": text.truth,
        "Varies without knowing the label": text.free_of_label,
        "Licence, persons": "Apache-2.0, as the library; nobody's image",
    }
    lines = ["| | |", "|---|---|", *(f"| **{k}** | {_cell(v)} |" for k, v in facts.items())]
    problems = [f"- {one}" for one in text.known_problems]
    parts = [f"### {text.title}\n", "\n".join(lines) + "\n"]
    return "\n".join([*parts, "Known problems:\n\n" + "\n".join(problems) + "\n"])


@functools.cache
def _counts(chapter: str, name: str) -> str:
    entry = get_chapter(chapter)
    found = {p: getattr(resolve_parameters(entry, p, {}).parameters, name) for p in PROFILES}
    listed = ", ".join(f"{count:,} (`{profile}`)" for profile, count in found.items())
    unit = type(resolve_parameters(entry, "quick", {}).parameters).model_fields[name].title
    return f"{listed} {unit}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
