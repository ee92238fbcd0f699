"""Bins whose width is a power of two: which one a number lies in, and how they are made wider.

`2 * HALF - 1` bins: the one in the middle holds the magnitudes below the width, bin `MIDDLE + k` the numbers in
[k * width, (k + 1) * width), and its mirror image `MIDDLE - k` those in (-(k + 1) * width, -k * width].

The width is the smallest power of two for which everything seen fits. When something larger comes along, the width
doubles and neighbouring bins are added up. Division by a power of two is exact, so a number ends up in the same bin
whether it was counted before or after: the counts are a function of the set of numbers alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats

HALF = 8192
"""Bins of magnitudes. The largest magnitude seen lies in their upper half, so a bin is at most 1/4096 of it."""

MIDDLE = HALF - 1

SMALLEST_EXPONENT = -1000

Counts = NDArray[np.int64]
"""(2 * HALF - 1,) how many numbers lie in each bin."""

_PIECE = 1 << 16  # numbers counted at once: they and their bins stay in the processor's cache
_FLOAT32 = 126  # exponents beyond this are not those of a float32


def empty() -> Counts:
    """Nothing counted."""
    return np.zeros(2 * HALF - 1, np.int64)


def exponent_for(amplitude: float) -> int:
    """The smallest exponent whose bins, 2 ** exponent wide, hold magnitudes up to `amplitude`."""
    if amplitude == 0.0:
        return SMALLEST_EXPONENT
    return max(math.frexp(amplitude)[1] - int(math.log2(HALF)), SMALLEST_EXPONENT)


def widen(counts: Counts, doublings: int) -> None:
    """Makes the bins of `counts` 2 ** doublings times as wide, in place."""
    if doublings <= 0 or not counts.any():
        return
    for _ in range(min(doublings, HALF.bit_length())):  # by then all is in the middle
        right = counts[MIDDLE + 2 :: 2] + counts[MIDDLE + 3 :: 2]
        left = counts[MIDDLE - 2 :: -2] + counts[MIDDLE - 3 :: -2]
        middle = counts[MIDDLE - 1 : MIDDLE + 2].sum()
        counts[:] = 0
        counts[MIDDLE] = middle
        counts[MIDDLE + 1 : MIDDLE + 1 + len(right)] = right
        counts[MIDDLE - len(left) : MIDDLE] = left[::-1]


class Scratch:
    """Memory to count in, used again and again; not by two threads at once."""

    def __init__(self) -> None:
        self._scaled = np.empty(_PIECE, np.float32)
        self._bins = np.empty(_PIECE, np.int32)

    def count(self, values: Floats, exponent: int, counts: Counts, signed: bool) -> None:
        """Adds numbers to `counts`.

        Args:
            values: one axis of finite numbers that fit.
            exponent: the bins are 2 ** exponent wide.
            counts: to add to, in place.
            signed: whether there are negative numbers among them.
        """
        first = 0 if signed else MIDDLE
        for start in range(0, values.size, _PIECE):
            bins = self._magnitude_bins(values[start : start + _PIECE], exponent)
            if signed:
                bins += MIDDLE
            found = np.bincount(bins)
            counts[first : first + len(found)] += found

    def _magnitude_bins(self, piece: Floats, exponent: int) -> NDArray[np.int32]:
        """How many widths each number is from zero, rounded towards it so that an underflow cannot move a number."""
        bins, factor = self._bins[: piece.size], math.ldexp(1.0, -exponent)
        if piece.dtype.itemsize > 4 or abs(exponent) >= _FLOAT32:
            np.copyto(bins, piece.astype(np.float64) * factor, casting="unsafe")
        else:
            scaled = np.multiply(piece, np.float32(factor), out=self._scaled[: piece.size])
            np.copyto(bins, scaled, casting="unsafe")
        return bins
