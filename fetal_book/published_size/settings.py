"""The chapter's parameters that a network is trained with at its published size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.published_size.networks import PROFILE, get_network

if TYPE_CHECKING:
    from fetal_book.parameters.base import ChapterParameters


def parameters_of(name: str, values: Mapping[str, Any]) -> ChapterParameters:
    """Return the parameters of the profile ``long``, the network's own, and the given ones."""
    network = get_network(name)
    own = dict(network.parameters) | dict(values)
    return resolve_parameters(get_chapter(network.chapter), PROFILE, own).parameters
