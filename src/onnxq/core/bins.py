"""Bins whose width is a power of two: which one a number lies in, and how they are made wider.

`2 * HALF - 1` bins: the one in the middle holds the magnitudes below the width, bin `MIDDLE + k` the numbers in
[k * width, (k + 1) * width), and its mirror image `MIDDLE - k` those in (-(k + 1) * width, -k * width].

The width is the smallest power of two for which everything seen fits. When something larger comes along, the width
doubles and neighbouring bins are added up. Division by a power of two is exact, so a number ends up in the same bin
whether it was counted before or after: the counts are a function of the set of numbers alone.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from fast_histogram import histogram1d
from numpy.typing import NDArray

from onnxq.core.format import Floats

HALF = 8192
"""Bins of magnitudes. The largest magnitude seen lies in their upper half, so a bin is at most 1/4096 of it."""

MIDDLE = HALF - 1

SMALLEST_EXPONENT = -1000

Counts = NDArray[np.int64]
"""(2 * HALF - 1,) how many numbers lie in each bin."""

Counted = TypeVar("Counted", NDArray[np.int64], NDArray[np.float64])

_FLOAT32 = 126  # factors with larger exponents are none that a float32 holds
_LARGE = 1000


def empty() -> Counts:
    """Nothing counted."""
    return np.zeros(2 * HALF - 1, np.int64)


def exponent_for(amplitude: float) -> int:
    """The smallest exponent whose bins, 2 ** exponent wide, hold magnitudes up to `amplitude`."""
    if amplitude == 0.0:
        return SMALLEST_EXPONENT
    return max(math.frexp(amplitude)[1] - int(math.log2(HALF)), SMALLEST_EXPONENT)


def widened(counts: Counted, doublings: int) -> Counted:
    """The same counts in bins 2 ** doublings times as wide.

    Args:
        counts: in all bins, or in those from the middle on.
        doublings: how often neighbouring bins are added up.

    Returns:
        (2 * HALF - 1,) counts.
    """
    wide = np.zeros(2 * HALF - 1, counts.dtype)
    wide[-len(counts) :] = counts
    for _ in range(min(doublings, HALF.bit_length())):  # by then all is in the middle
        right = wide[MIDDLE + 2 :: 2] + wide[MIDDLE + 3 :: 2]
        left = wide[MIDDLE - 2 :: -2] + wide[MIDDLE - 3 :: -2]
        middle = wide[MIDDLE - 1 : MIDDLE + 2].sum()
        wide[:] = 0
        wide[MIDDLE] = middle
        wide[MIDDLE + 1 : MIDDLE + 1 + len(right)] = right
        wide[MIDDLE - len(left) : MIDDLE] = left[::-1]
    return wide


def count(values: Floats, exponent: int, signed: bool) -> NDArray[np.float64]:
    """How many numbers lie in each bin. Other threads may run meanwhile.

    Args:
        values: of any shape; they must fit.
        exponent: the bins are 2 ** exponent wide.
        signed: whether there are negative numbers among them.

    Returns:
        (2 * HALF - 1,) counts, or without negative numbers those from the bin in the middle on, (HALF,).
    """
    if exponent > _LARGE:  # the last bin would end beyond the largest float64
        values, exponent = values * 2.0**-_LARGE, exponent - _LARGE
    if not signed:
        return _histogram(values, HALF, 0.0, math.ldexp(HALF, exponent))
    if values.dtype.itemsize < 4 or abs(exponent) > _FLOAT32:
        values = values.astype(np.float64)
    widths = np.multiply(values, values.dtype.type(math.ldexp(1.0, -exponent)))
    np.trunc(widths, out=widths)  # towards zero, so that an underflow cannot move a number
    return _histogram(widths, 2 * HALF - 1, -MIDDLE, HALF)


def _histogram(values: Floats, bins: int, low: float, high: float) -> NDArray[np.float64]:
    """Counts in equal bins over [low, high): exact if `low` is 0 and a bin 2 ** k wide, or if all are whole numbers."""
    counts: NDArray[np.float64] = histogram1d(values, bins, (low, high))
    return counts
