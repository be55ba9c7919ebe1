"""Write data sheets: one for each data set, from its manifest, and one for each kind of phantom."""

from __future__ import annotations

import functools
from pathlib import Path

from fetal_book.parameters.base import PROFILES
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.site.cards import PhantomText, read_cards
from fetal_book.site.markdown import bullets, facts, table
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
    known = {
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
            del known[name]
    parts = [f"### {manifest.title}\n", facts(known)]
    if manifest.files:
        parts.append(files_table(manifest.files))
    parts.append(f"What the folder holds:\n\n```text\n{manifest.layout.rstrip()}\n```\n")
    if manifest.columns:
        columns = [f"`{name}`: {words}" for name, words in manifest.columns.items()]
        parts.append(f"Columns:\n\n{bullets(columns)}")
    if manifest.how_to:
        steps = [f"{i}. {' '.join(step.split())}" for i, step in enumerate(manifest.how_to, 1)]
        parts.append("How to get it ready:\n\n" + "\n".join(steps) + "\n")
    problems = manifest.known_problems or ["none known"]
    parts.append(f"Known problems:\n\n{bullets(problems)}")
    if manifest.access != "own":
        parts.append(f"Cite as: {' '.join(manifest.citation.split())}\n")
    return "\n".join(parts)


def access_text(manifest: Manifest) -> str:
    """Say how a data set is got."""
    by_hand = manifest.access == "open" and not manifest.files
    return "open, fetched by hand" if by_hand else ACCESS[manifest.access]


def files_table(files: tuple[DataFile, ...]) -> str:
    """Write what is fetched: names, sizes, and the checksum that is compared."""
    rows = []
    for one in files:
        size = one.bytes if one.bytes == UNKNOWN else f"{one.bytes:,}"
        rows.append([f"`{one.name}`", size, checksum_text(one)])
    return table(["File", "Bytes", "Checksum"], rows)


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
    links = (
        f"[{name[:2]}](../notebooks/{name})" if name in chapters else name[:2]
        for name in sorted(names)
    )
    return ", ".join(links) or "none yet"


def phantom_sheet(text: PhantomText, chapters: list[str]) -> str:
    """Write the sheet of a kind of phantoms; how many are drawn comes from the parameters."""
    known = {
        "Made by": f"`fetal-lib phantoms {text.name} FOLDER`, from a seed",
        "Chapters": chapter_links(text.chapters, chapters),
        "How many": "; ".join(_counts(chapter, text.count) for chapter in text.chapters),
        "Drawn from": text.drawn_from,
        "Truth that comes with it": text.truth,
        "Varies without knowing the label": text.free_of_label,
        "Licence, persons": "Apache-2.0, as the library; nobody's image",
    }
    problems = f"Known problems:\n\n{bullets(text.known_problems)}"
    return "\n".join([f"### {text.title}\n", facts(known), problems])


@functools.cache
def _counts(chapter: str, name: str) -> str:
    entry = get_chapter(chapter)
    found = {p: getattr(resolve_parameters(entry, p, {}).parameters, name) for p in PROFILES}
    listed = ", ".join(f"{count:,} (`{profile}`)" for profile, count in found.items())
    unit = type(resolve_parameters(entry, "quick", {}).parameters).model_fields[name].title
    return f"{listed} {unit}"
