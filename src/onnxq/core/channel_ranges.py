"""The range of a weight, channel by channel, beside what its scales cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import Site
from onnxq.core.spec import PerAxis, Spec


@dataclass(frozen=True)
class ChannelRanges:
    """A quantized weight.

    Attributes:
        site: the edge on which it is read.
        spec: how it is stored.
        lows: (channels,) the smallest number of each channel; one for the whole weight if it has one scale.
        highs: (channels,) the largest.
    """

    site: Site
    spec: Spec
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    @staticmethod
    def of(site: Site, spec: Spec, weight: NDArray[np.floating]) -> ChannelRanges:
        """The ranges of a weight along the axis of its scales, or else along its first axis."""
        axis = spec.granularity.axis if isinstance(spec.granularity, PerAxis) else 0
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis] if weight.ndim else 1, -1).astype(np.float64)
        return ChannelRanges(site, spec, rows.min(1), rows.max(1))

    @property
    def spread(self) -> float:
        """How many times as wide as the median channel the widest one is."""
        widths = np.maximum(np.abs(self.lows), np.abs(self.highs))
        return float(widths.max() / max(float(np.median(widths)), 1e-30))
