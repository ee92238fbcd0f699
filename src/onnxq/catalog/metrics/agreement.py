"""Share of samples whose largest output is the same as in FP32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    same = [x.reshape(len(x), -1).argmax(axis=1) for x in (reference, candidate)]
    return np.array([np.sum(same[0] == same[1]), len(reference)], np.float64)


AGREEMENT = Metric("agreement", "%", _sums, lambda sums: float(100 * sums[0] / sums[1]), labelled=True)
