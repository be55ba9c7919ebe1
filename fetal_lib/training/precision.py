"""Choose the precision that a machine trains fastest in without losing range.

Sixteen-bit brain floats have the range of 32-bit floats and a third of their digits.
Processors with the instruction set AVX512-BF16 or AMX, and graphics cards, train
about half as fast again in them; others are slower, so they stay at 32 bits.
"""

from __future__ import annotations

from pathlib import Path

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
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
        For any other word.

    Examples
    --------
    >>> precision_policy("bfloat16")
    'mixed_bfloat16'
    """
    if precision == "auto":
        fast = processor_has_bfloat16() or _has_gpu()
        precision = "bfloat16" if fast else "float32"
    if precision not in POLICIES:
        raise ValueError(f"precision={precision!r}: use 'auto' or one of {sorted(POLICIES)}.")
    return POLICIES[precision]


def _has_gpu() -> bool:
    import keras

    return any("gpu" in str(name).lower() for name in keras.distribution.list_devices())
