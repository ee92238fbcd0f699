"""How far the distribution over classes is from that of FP32, in nats: the Kullback-Leibler divergence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Floats
from onnxq.core.metric import Metric, Sums

CLOSE = 1e-3
"""By so much may the numbers of a distribution miss a sum of 1."""

SMALLEST = 1e-30
"""What a share is taken to be at least, so that its logarithm is finite."""


def _sums(reference: Floats, candidate: Floats, labels: NDArray[Any] | None) -> Sums:
    """The sum over the samples of sum(p log(p / q)), and their number.

    p and q are softmax distributions over all numbers of a sample; where those of the reference are one already, the
    numbers themselves.
    """
    if reference.size == 0:
        return np.array([0.0, 0.0])
    p, q = (x.astype(np.float64).reshape(len(x) if x.ndim > 1 else 1, -1) for x in (reference, candidate))
    with np.errstate(invalid="ignore"):  # Inf - Inf is NaN, and so is the divergence then
        return np.array([_divergences(p, q).sum(), len(p)], np.float64)


def _divergences(p: Floats, q: Floats) -> Floats:
    are_shares = (p.min(axis=1) >= 0.0) & (np.abs(p.sum(axis=1) - 1.0) <= CLOSE)
    p, q = (np.where(are_shares[:, None], _shares(np.maximum(x, 0.0)), _softmax(x)) for x in (p, q))
    found: Floats = np.sum(p * (np.log(np.maximum(p, SMALLEST)) - np.log(np.maximum(q, SMALLEST))), axis=1)
    return found


def _softmax(x: Floats) -> Floats:
    return _shares(np.exp(x - x.max(axis=1, keepdims=True)))


def _shares(x: Floats) -> Floats:
    total: Floats = x.sum(axis=1, keepdims=True)
    return x / np.maximum(total, SMALLEST)


KL = Metric(
    "kl",
    "nats",
    _sums,
    lambda sums: float(sums[0] / max(1.0, sums[1])),
    larger_is_better=False,
)
