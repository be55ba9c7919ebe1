"""Find images that look alike, among ten thousand, in blocks of bounded size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 256
MAX_BITS = 14
"""Of 144. No two of HC18's examinations come closer than 24 bits in 280,000 pairs."""
MAX_LISTED = 1000


@dataclass(frozen=True)
class Twins:
    """Pairs of images that look alike, the closest first.

    Attributes
    ----------
    first, second : ndarray of int, shape (P,)
        Rows of the images, first < second.
    bits : ndarray of int, shape (P,)
        Bits of the hash that differ.
    view : ndarray of int, shape (P,)
        How the second must be turned to look like the first: a row of ``hashes.VIEWS``.
    n_pairs : int
        Found; at most ``MAX_LISTED`` are listed.
    has_twin : ndarray of bool, shape (N,)
        Whether an image is in a pair, listed or not.
    """

    first: np.ndarray
    second: np.ndarray
    bits: np.ndarray
    view: np.ndarray
    n_pairs: int
    has_twin: np.ndarray


def find_twins(words: np.ndarray, differ_in: np.ndarray) -> Twins:
    """Return the pairs of images within ``MAX_BITS`` that differ in part or group.

    Of the closest, ``MAX_LISTED`` are listed.

    Parameters
    ----------
    words : ndarray, shape (N, V, 3), uint64
        Packed hashes in V views; the first is the image as it is.
    differ_in : ndarray, shape (N,)
        Part or group; a pair counts if its two images differ in it.
    """
    codes = np.unique(differ_in, return_inverse=True)[1]
    has_twin, n_pairs, kept = np.zeros(len(words), bool), 0, np.empty((4, 0), np.int64)
    for start in range(0, len(words), BLOCK):
        rows = _block(words, codes, start)
        n_pairs += rows.shape[1]
        has_twin[rows[:2].ravel()] = True
        kept = _closest(np.concatenate([kept, rows], axis=1))
    first, second, bits, view = kept
    return Twins(first, second, bits, view, n_pairs, has_twin)


def join_twins(groups: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Return groups of which none shares a picture with another.

    Names part what pictures join: one picture can stand in a set under two names. Groups that hold
    twins become one, under the first of their names, until no two of them look alike.

    Parameters
    ----------
    groups : ndarray, shape (N,), str
    words : ndarray, shape (N, V, 3), uint64
        As in :func:`find_twins`.
    """
    joined = np.asarray(groups).astype(object)
    while (twins := find_twins(words, joined)).n_pairs:
        for i, j in zip(twins.first, twins.second, strict=True):
            if joined[i] != joined[j]:
                low, high = sorted((joined[i], joined[j]))
                joined[joined == high] = low
    return joined.astype(str)


def _block(words: np.ndarray, codes: np.ndarray, start: int) -> np.ndarray:
    """Compare BLOCK images with all that follow; return first, second, bits, view."""
    rows, others = slice(start, start + BLOCK), slice(start, None)
    best = np.full((len(words[rows]), len(words[others])), 255, np.uint8)
    view = np.zeros_like(best)
    for number in range(words.shape[1]):
        bits = np.zeros_like(best)
        for word in range(words.shape[2]):
            both = words[rows, 0, word][:, None] ^ words[others, number, word][None]
            bits += np.bitwise_count(both)
        closer = bits < best
        best[closer], view[closer] = bits[closer], number
    wanted = np.triu(best <= MAX_BITS, k=1)
    i, j = np.nonzero(wanted & (codes[rows][:, None] != codes[others][None]))
    return np.stack([i + start, j + start, best[i, j], view[i, j]]).astype(np.int64)


def _closest(rows: np.ndarray) -> np.ndarray:
    return rows[:, np.lexsort((rows[1], rows[0], rows[2]))[:MAX_LISTED]]
