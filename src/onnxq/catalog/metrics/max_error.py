"""The largest absolute difference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    return np.array([np.abs(reference.astype(np.float64) - candidate).max(initial=0.0)])


MAX_ERROR = Metric("max_error", "", _sums, lambda sums: float(sums[0]), merge=np.maximum, larger_is_better=False)
