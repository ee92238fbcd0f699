"""Keeps the range whose quantized distribution says most about the real one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.core.format import Format, Range
from onnxq.core.statistics import TensorStatistics

MERGED = 4
"""Bins of the statistics that the search takes together: 1025 to 2048 are left."""

SAME = 1e-6
"""Divergences that differ by less are as good as each other; then the wider range clips less."""


@dataclass(frozen=True)
class Entropy:
    """The range of least Kullback-Leibler divergence, as TensorRT's entropy calibrator searched for it.

    Source: Migacz 2017, "8-bit inference with TensorRT"; pytorch-quantization, calib/histogram.py.
    """

    name: ClassVar[str] = "entropy"
    reads_histogram: ClassVar[bool] = True

    def choose(self, measured: TensorStatistics, stored: Format) -> Range:
        """See Calibrator."""
        if not measured.amplitude:
            return measured.clipped(0.0)  # nothing but zeros, or nothing at all
        counts = measured.magnitudes(MERGED).astype(np.float64)
        everything = measured.clipped(measured.amplitude)
        levels = round(measured.amplitude / stored.scale(everything)) + 1  # codes that a magnitude has
        if len(counts) <= levels:
            return everything  # smaller than all widths
        counts[0] = counts[1]  # the zeros of a ReLU carry no information and would drown the rest
        cost = divergences(counts, levels)
        best = int(np.flatnonzero(cost <= cost.min() + SAME)[-1]) + levels
        return measured.clipped(measured.width * best * MERGED)


def divergences(counts: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """The divergence of keeping the first `i` bins, for i = levels .. len(counts).

    P is `counts[:i]` with all that lies beyond added to its last bin. Q is `counts[:i]` merged into `levels` equal
    groups, each group's mass then spread evenly over those of its bins that were not empty. As Q is constant within
    a group, cumulative sums at the group borders give KL(P || Q) for all i at once.

    Args:
        counts: (bins,) counts of magnitudes.
        levels: how many codes a magnitude has.

    Returns:
        (bins - levels + 1,) divergences, infinite where Q is zero and P is not.
    """
    kept = np.arange(levels, len(counts) + 1)
    borders = -(-np.arange(levels + 1) * kept[:, None] // levels)  # (candidates, levels + 1), rounded up
    mass = np.diff(_running(counts)[borders], axis=1)
    spread = mass / np.maximum(np.diff(_running(counts > 0)[borders], axis=1), 1)
    inside = _running(counts)[kept]
    total = counts.sum()
    last = counts[kept - 1]
    own = _running(_xlogx(counts))[kept] - _xlogx(last) + _xlogx(last + total - inside)  # sum of P log P
    mass[:, -1] += total - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = np.where(mass > 0, mass * np.log(spread), 0.0).sum(axis=1)  # sum of P log Q, before normalization
        cost = (own - cross) / total - np.log(total) + np.log(inside)
    return np.where(((last > 0) & (inside > 0)) | (total == inside), cost, np.inf)


def _running(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def _xlogx(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values * np.log(np.where(values > 0, values, 1.0))
