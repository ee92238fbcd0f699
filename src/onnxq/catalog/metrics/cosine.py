"""Cosine of the angle between two outputs."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    return np.array([np.sum(a * b), np.sum(a * a), np.sum(b * b)])


def _cosine(sums: Sums) -> float:
    """1.0 for two outputs of zeros, 0.0 if only one of them is."""
    product, a, b = sums
    if a == b == 0.0:
        return 1.0
    return float(product / math.sqrt(a * b)) if a and b else 0.0


COSINE = Metric("cosine", "", _sums, _cosine)
