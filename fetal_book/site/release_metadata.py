"""What an archive has to be told of a release, all of it taken from CITATION.cff.

References
----------
Citation File Format 1.2.0, DOI 10.5281/zenodo.5171937.
Zenodo, REST API, "Deposit metadata": https://developers.zenodo.org/#representation
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import yaml

from fetal_lib.errors import UserError

CITATION = "CITATION.cff"
NEEDED = ("title", "abstract", "authors", "version", "license", "keywords", "type")
RESOURCE_TYPES = {
    "article": "publication-article",
    "book": "publication-book",
    "conference-paper": "publication-conferencepaper",
    "data": "dataset",
    "dataset": "dataset",
    "database": "dataset",
    "software": "software",
}


def read_citation(root: Path) -> dict[str, Any]:
    """Read CITATION.cff."""
    try:
        citation = yaml.safe_load((root / CITATION).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{CITATION}: it cannot be read: {error}") from error
    if not isinstance(citation, dict):
        raise UserError(f"{CITATION}: it must be a mapping, as CFF 1.2.0 says")
    missing = [name for name in NEEDED if not citation.get(name)]
    if missing:
        raise UserError(f"{CITATION}: {', '.join(missing)} is missing; a release needs it")
    if not isinstance(citation["license"], str):
        raise UserError(
            f"{CITATION}: license: received {citation['license']!r}; Zenodo takes one, "
            "write its SPDX identifier"
        )
    return citation


def release_name(citation: Mapping[str, Any]) -> str:
    """Name a release by the title up to its colon, and the version.

    Examples
    --------
    >>> release_name({"title": "Fetal Imaging: five projects", "version": "0.1.0"})
    'fetal-imaging-0.1.0'
    """
    short = citation["title"].partition(":")[0].lower()
    return f"{re.sub(r'[^a-z0-9]+', '-', short).strip('-')}-{citation['version']}"


def zenodo_metadata(citation: Mapping[str, Any], date: str | None = None) -> dict[str, Any]:
    """Translate a citation file into a Zenodo deposit's metadata; without a date it takes its own.

    Examples
    --------
    >>> made = zenodo_metadata(
    ...     {"title": "Heads", "abstract": "A & B.", "type": "software", "version": "1.0",
    ...      "license": "MIT", "keywords": ["ultrasound"],
    ...      "authors": [{"family-names": "Doe", "given-names": "J."}]}, "2026-01-31")
    >>> made["creators"], made["description"]
    ([{'name': 'Doe, J.'}], '<p>A &amp; B.</p>')
    """
    dated = {"publication_date": date} if date else {}
    return dated | {
        "title": citation["title"],
        "upload_type": citation["type"],
        "description": f"<p>{escape(citation['abstract'].strip(), quote=False)}</p>",
        "creators": [creator(author) for author in citation["authors"]],
        "access_right": "open",
        "license": citation["license"],
        "keywords": list(citation["keywords"]),
        "version": str(citation["version"]),
        "language": "eng",
        "related_identifiers": related_identifiers(citation),
    }


def creator(author: Mapping[str, Any]) -> dict[str, str]:
    """Translate an author: a person becomes "family, given", a group keeps its name.

    Examples
    --------
    >>> creator({"name": "The contributors"})
    {'name': 'The contributors'}
    >>> person = {"family-names": "Berg", "name-particle": "van den", "given-names": "A."}
    >>> creator(person | {"orcid": "https://orcid.org/0000-0002-1825-0097"})
    {'name': 'van den Berg, A.', 'orcid': '0000-0002-1825-0097'}
    """
    family = " ".join(author[k] for k in ("name-particle", "family-names") if author.get(k))
    given = " ".join(author[k] for k in ("given-names", "name-suffix") if author.get(k))
    named = ", ".join(part for part in (family, given) if part)
    found = {"name": author.get("name") or named}
    if author.get("affiliation"):
        found["affiliation"] = author["affiliation"]
    if author.get("orcid"):
        found["orcid"] = author["orcid"].rpartition("/")[2]
    return found


def related_identifiers(citation: Mapping[str, Any]) -> list[dict[str, str]]:
    """List what the release belongs to and cites: its repository, its pages, its references.

    References without a DOI or an address are left out; Zenodo has no place for them here.
    """
    found = []
    if citation.get("repository-code"):
        address = {"identifier": citation["repository-code"], "relation": "isSupplementTo"}
        found.append(address | {"resource_type": "software"})
    if citation.get("url"):
        found.append({"identifier": citation["url"], "relation": "isDocumentedBy"})
    for reference in citation.get("references", []):
        identifier = reference.get("doi") or reference.get("url")
        if identifier:
            kind = RESOURCE_TYPES.get(reference.get("type", ""), "other")
            found.append({"identifier": identifier, "relation": "cites", "resource_type": kind})
    return found
