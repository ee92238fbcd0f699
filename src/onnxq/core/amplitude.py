"""Where numbers are best clipped that are stored in symmetric codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.balance import ROUNDING

BARS = 2048
"""Numbers are counted in so many bars."""

TRIED = 64
"""Amplitudes that are compared, in even steps up to the largest number."""


def best_amplitude(parts: Sequence[NDArray[np.floating[Any]]]) -> float:
    """The amplitude of least mean squared error, clipping against rounding; 0 if all numbers are 0.

    Args:
        parts: numbers of any shape that share a scale.
    """
    top = max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0)
    if not top:
        return 0.0
    counts = np.zeros(BARS + 1)
    for part in parts:
        counts += np.bincount(np.rint(np.abs(part).ravel() * (BARS / top)).astype(np.int64), minlength=BARS + 1)
    values = np.arange(BARS + 1) / BARS
    count, first, second = (np.cumsum((counts * values**power)[::-1])[::-1] for power in (0, 1, 2))
    places = np.arange(1, TRIED + 1) * BARS // TRIED
    ends = values[places]
    lost = second[places] - 2.0 * ends * first[places] + ends**2 * count[places]
    return top * float(ends[int(np.argmin(lost + ends**2 * ROUNDING * counts[1:].sum()))])
