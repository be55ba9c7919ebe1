"""Claims about what an archive is told: all from CITATION.cff, in the words that Zenodo takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from fetal_book.site.release_metadata import read_citation, zenodo_metadata
from fetal_lib.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
TEXT = {"type": "string", "minLength": 1}
# The fields used here, as Zenodo's REST API describes them under "Deposit metadata".
DEPOSIT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "upload_type", "description", "creators", "access_right", "license"],
    "properties": {
        "title": TEXT,
        "upload_type": {"enum": ["publication", "dataset", "software", "lesson", "other"]},
        "description": TEXT,
        "access_right": {"enum": ["open", "embargoed", "restricted", "closed"]},
        "license": TEXT,
        "version": TEXT,
        "language": {"pattern": "^[a-z]{3}$"},
        "publication_date": {"pattern": r"^\d{4}-\d\d-\d\d$"},
        "keywords": {"type": "array", "items": TEXT, "uniqueItems": True},
        "creators": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": TEXT,
                    "affiliation": TEXT,
                    "orcid": {"pattern": r"^(\d{4}-){3}\d{3}[\dX]$"},
                },
            },
        },
        "related_identifiers": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "required": ["identifier", "relation"],
                "additionalProperties": False,
                "properties": {
                    "identifier": {"pattern": r"^(10\.\d{4,9}/|https://)\S+$"},
                    "relation": {"enum": ["cites", "isSupplementTo", "isDocumentedBy"]},
                    "resource_type": {
                        "enum": [
                            "publication-article",
                            "publication-conferencepaper",
                            "publication-book",
                            "dataset",
                            "software",
                            "other",
                        ]
                    },
                },
            },
        },
    },
}
SMALL = {
    "title": "Heads: a book",
    "abstract": "Text <1>.",
    "type": "software",
    "version": 1.0,
    "license": "MIT",
    "keywords": ["ultrasound"],
    "authors": [{"family-names": "Doe", "given-names": "J.", "affiliation": "A clinic"}],
}


def faults(metadata: dict) -> list[str]:
    return [error.message for error in Draft7Validator(DEPOSIT).iter_errors(metadata)]


def test_the_projects_own_metadata_fits_a_deposit():
    citation = read_citation(PROJECT)
    metadata = zenodo_metadata(citation, "2026-01-31")
    assert faults(metadata) == []
    for name in ("title", "license", "keywords", "version"):
        assert metadata[name] == citation[name]
    assert metadata["creators"][0]["name"] == citation["authors"][0]["name"]
    cited = [one["identifier"] for one in metadata["related_identifiers"]]
    assert cited == [reference["doi"] for reference in citation["references"]]


def test_repository_pages_and_references_become_related_identifiers():
    address, page = "https://example.org/code", "https://example.org/book"
    references = [{"type": "data", "doi": "10.5281/zenodo.1"}, {"type": "book", "title": "no DOI"}]
    more = {"repository-code": address, "url": page, "references": references}
    metadata = zenodo_metadata(SMALL | more, "2026-01-31")
    assert faults(metadata) == []
    related = [(one["relation"], one["identifier"]) for one in metadata["related_identifiers"]]
    assert related == [
        ("isSupplementTo", address),
        ("isDocumentedBy", page),
        ("cites", "10.5281/zenodo.1"),
    ]


def test_text_is_escaped_and_a_version_that_yaml_reads_as_a_number_stays_text():
    metadata = zenodo_metadata(SMALL, "2026-01-31")
    assert metadata["description"] == "<p>Text &lt;1&gt;.</p>" and metadata["version"] == "1.0"
    assert metadata["creators"] == [{"name": "Doe, J.", "affiliation": "A clinic"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"abstract": None}, "abstract is missing"),
        ({"authors": []}, "authors is missing"),
        ({"license": ["MIT", "Apache-2.0"]}, "Zenodo takes one"),
    ],
)
def test_a_citation_file_that_says_too_little_is_refused(tmp_path, changes, words):
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(SMALL | changes), encoding="utf-8")
    with pytest.raises(UserError, match=words):
        read_citation(tmp_path)


def test_a_missing_citation_file_is_named(tmp_path):
    with pytest.raises(UserError, match="CITATION.cff: it cannot be read"):
        read_citation(tmp_path)


def plain(title: str) -> str:
    return re.sub(r"[{}]", "", title)


def test_references_agree_with_the_books_own():
    text = (PROJECT / "book" / "references.bib").read_text(encoding="utf-8")
    titles = re.findall(r"^ *title *= *\{(.*)\},?$", text, re.MULTILINE)
    dois = re.findall(r"^ *doi *= *\{(.*)\},?$", text, re.MULTILINE)
    known = {plain(title) for title in titles}
    for reference in read_citation(PROJECT)["references"]:
        assert reference["title"] in known, reference["title"]
        assert reference["doi"] in dois, reference["doi"]
