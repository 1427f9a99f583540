"""Numbers are printed with nine significant digits, so last-bit noise never shows."""

from __future__ import annotations

from typing import overload

import numpy as np

from stillwatch.stats.checks import FloatArray

__all__ = ["round9"]

EXACT_POWER = 22
"""Powers of ten up to this one are exact in float64."""


@overload
def round9(x: float) -> float: ...
@overload
def round9(x: FloatArray) -> FloatArray: ...
def round9(x: float | FloatArray) -> float | FloatArray:
    """Round to 9 significant digits: the float64 nearest to a decimal of 9 digits.

    Args:
        x: a number or an array of any shape; NaN and infinities stay, -0.0 becomes 0.0.

    Error: at most half a unit in the ninth digit (plus rounding at exact ties);
    ``round9(round9(x)) == round9(x)``, and ``repr`` shows at most 9 digits.

    >>> round9(0.1 + 0.2)
    0.3
    """
    values = np.asarray(x, dtype=np.float64)
    out = values.copy().reshape(-1)
    live = np.flatnonzero(np.isfinite(out) & (out != 0.0))
    power = 8 - np.floor(np.log10(np.abs(out[live]))).astype(np.int64)
    near = np.abs(power) < EXACT_POWER
    out[live[near]] = _scaled(out[live[near]], power[near])
    far = live[~near]
    out[far] = [float(f"{v:.8e}") for v in out[far].tolist()]
    out += 0.0
    shaped = out.reshape(values.shape)
    return float(shaped) if np.ndim(x) == 0 else shaped


def _scaled(values: FloatArray, power: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    """Round ``values * 10**power`` to whole numbers; multiply and divide exact powers only."""
    digits = _shift(values, power)
    # log10 may be off by one at powers of ten
    power = power - (np.abs(digits) >= 1e9) + (np.abs(digits) < 1e8)
    return _shift(np.rint(_shift(values, power)), -power)


def _shift(values: FloatArray, power: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    scale = 10.0 ** np.abs(power).astype(np.float64)
    return np.where(power >= 0, values * scale, values / scale)
