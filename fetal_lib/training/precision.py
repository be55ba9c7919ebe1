"""Choose the precision that a machine trains fastest in without losing range.

Sixteen-bit brain floats have the range of 32-bit floats and a third of their digits.
Processors with the instruction set AVX512-BF16 or AMX, and graphics cards, train
about half as fast again in them; others are slower, so they stay at 32 bits. The words are
``auto``, ``float32``, ``bfloat16`` and ``float16``; each framework has its own for them.
"""

from __future__ import annotations

from pathlib import Path

KERAS_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
LIGHTNING_NAMES = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
FLAGS = ("avx512_bf16", "amx_bf16")


def processor_has_bfloat16(cpuinfo: str | Path = "/proc/cpuinfo") -> bool:
    """Say whether the processor multiplies brain floats; False where that is not known."""
    try:
        text = Path(cpuinfo).read_text()
    except OSError:
        return False
    return any(flag in text.split() for flag in FLAGS)


def precision_policy(precision: str) -> str:
    """Return the Keras policy for ``auto``, ``float32`` or ``bfloat16``.

    Parameters
    ----------
    precision : str
        ``auto`` takes brain floats where processor or graphics card has them.

    Raises
    ------
    ValueError
        For any other word; ``float16`` needs its loss scaled, which the Keras fit does not do.

    Examples
    --------
    >>> precision_policy("bfloat16")
    'mixed_bfloat16'
    """
    if precision == "auto":
        import keras

        cards = [name for name in keras.distribution.list_devices() if "gpu" in str(name).lower()]
        precision = _fastest(bool(cards))
    return _named(precision, KERAS_POLICIES)


def lightning_precision(precision: str) -> str:
    """Return Lightning's name for ``auto``, ``float32``, ``bfloat16`` or ``float16``.

    Raises
    ------
    ValueError
        For any other word.

    Examples
    --------
    >>> lightning_precision("float16")
    '16-mixed'
    """
    if precision == "auto":
        import torch

        precision = _fastest(torch.cuda.is_available())
    return _named(precision, LIGHTNING_NAMES)


def _fastest(has_gpu: bool) -> str:
    return "bfloat16" if has_gpu or processor_has_bfloat16() else "float32"


def _named(precision: str, names: dict[str, str]) -> str:
    if precision not in names:
        raise ValueError(f"precision={precision!r}: use 'auto' or one of {sorted(names)}.")
    return names[precision]
