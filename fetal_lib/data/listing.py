"""List the data sets as a table of the book, made from their manifests."""

from __future__ import annotations

from collections.abc import Iterable

from fetal_lib.data.manifest import Manifest

HEADER = ("Name", "What", "Chapters", "Access", "Licence", "May not be split")


def markdown_table(manifests: Iterable[Manifest]) -> str:
    """Return one row a manifest: name, title, chapters, access, licence, subject rule.

    Parameters
    ----------
    manifests : public sets and layouts for own data; own layouts come last.

    Returns
    -------
    A Markdown table; ``|`` in texts is escaped.
    """
    ordered = sorted(manifests, key=lambda item: (item.access == "own", item.name))
    rows = [HEADER, ("---",) * len(HEADER), *map(_row, ordered)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(manifest: Manifest) -> tuple[str, ...]:
    title = manifest.title if manifest.url == "none" else f"[{manifest.title}]({manifest.url})"
    chapters = ", ".join(chapter[:2] for chapter in sorted(manifest.chapters)) or "none yet"
    cells = (title, chapters, manifest.access, manifest.licence, manifest.subject_rule)
    return (f"`{manifest.name}`", *(" ".join(cell.split()).replace("|", "\\|") for cell in cells))
