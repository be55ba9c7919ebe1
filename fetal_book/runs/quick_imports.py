"""Keep out of a process what takes long to import and is of no use to it."""

from __future__ import annotations

import sys


def skip_iri_grammars() -> None:
    """Let jsonschema do without its check of IRIs, whose grammars take a second to compile.

    Whatever reads a notebook imports it, and no notebook holds an IRI to check. Call this before
    that import; where it was imported already nothing changes.
    """
    sys.modules.setdefault("rfc3987_syntax", None)
