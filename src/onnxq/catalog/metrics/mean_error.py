"""The mean absolute difference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    return np.array([np.abs(reference.astype(np.float64) - candidate).sum(), reference.size], np.float64)


MEAN_ERROR = Metric("mean_error", "", _sums, lambda sums: float(sums[0] / max(1.0, sums[1])), larger_is_better=False)
