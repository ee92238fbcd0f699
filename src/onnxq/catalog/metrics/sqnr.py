"""Signal to quantization noise ratio."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    wide = reference.astype(np.float64)
    return np.array([np.sum(wide**2), np.sum((wide - candidate) ** 2)])


def _decibels(sums: Sums) -> float:
    """10 log10(signal / noise); infinite without noise, -inf without signal."""
    signal, noise = sums
    if noise == 0.0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _noise(decibels: float) -> float:
    """The power of the noise in percent of that of the signal: what several sources make adds up, about."""
    return float(100 * 10 ** (-decibels / 10)) if decibels > -math.inf else math.inf


SQNR = Metric("sqnr", "dB", _sums, _decibels, lost=_noise, loss_unit="noise in % of the signal")
