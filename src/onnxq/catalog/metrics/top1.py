"""Share of samples whose largest output is the labelled class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    if labels is None:
        raise ValueError("top1 needs labels")
    predicted = candidate.reshape(len(candidate), -1).argmax(axis=1)
    return np.array([np.sum(predicted == labels), len(labels)], np.float64)


TOP1 = Metric("top1", "%", _sums, lambda sums: float(100 * sums[0] / sums[1]), labelled=True)
