"""The units of channels for which quantization makes the least noise: activations want them large, weights want them even.

An activation's channels share one scale, so a channel that is small in its unit is stored coarsely. To make it large,
weights behind must be made small, which share a scale too. Both kinds of noise are summed up as if all errors were
independent, weighted by how much of them comes out, and the sum is made small by gradient descent on the logarithms of the units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Ids = NDArray[np.int64]

SHARPNESS = 16
"""The exponent of the norm that stands for a maximum."""

STEPS, RATE = 300, 0.03
"""Of Adam."""

WIDEST = 6.0
"""Logarithms of units stay within this."""


@dataclass(frozen=True)
class Shared:
    """Activations that share a scale.

    Attributes:
        classes: (channels,) whose unit each channel has.
        amplitudes: (channels,) in the old unit.
        gains: (channels,) of noise in them, in the old unit.
    """

    classes: Ids
    amplitudes: Real
    gains: Real

    def noise(self, units: Real, slope: Real) -> float:
        """The noise that comes out, with its slope added to `slope`."""
        unit = units[self.classes]
        largest, weights = _largest(self.amplitudes / unit, -1)
        spread = self.gains * unit**2
        total = largest**2 * spread.sum()
        np.add.at(slope, self.classes, 2.0 * largest**2 * spread - 2.0 * total * weights)
        return float(total)


@dataclass(frozen=True)
class Weighted:
    """A weight with a scale for each output channel.

    Attributes:
        classes: (out_channels, in_channels / group) whose unit each input channel has.
        magnitudes: likewise, the largest weights.
        powers: likewise, the mean squares of what they multiply, times their number.
        gains: (out_channels,) of noise in what they sum up to.
        makes: (out_channels,) whose unit each output channel has, if one scale serves all of them; else None.
    """

    classes: Ids
    magnitudes: Real
    powers: Real
    gains: Real
    makes: Ids | None = None

    def noise(self, units: Real, slope: Real) -> float:
        """The noise that comes out, with its slope added to `slope`."""
        unit = units[self.classes]
        if self.makes is not None:
            return self._noise_of_one_scale(units, slope)
        largest, weights = _largest(self.magnitudes * unit, -1)
        heard = self.powers / unit**2
        each = self.gains * largest**2
        totals = each * heard.sum(1)
        np.add.at(slope, self.classes, 2.0 * totals[:, None] * weights - 2.0 * each[:, None] * heard)
        return float(totals.sum())

    def _noise_of_one_scale(self, units: Real, slope: Real) -> float:
        makes = self.makes if self.makes is not None else np.zeros(0, np.int64)
        unit, out = units[self.classes], units[makes]
        largest, weights = _largest((self.magnitudes * unit / out[:, None]).reshape(-1), -1)
        weights = weights.reshape(unit.shape)
        heard = self.powers / unit**2
        each = self.gains * out**2 * largest**2
        totals = each * heard.sum(1)
        np.add.at(slope, self.classes, 2.0 * totals.sum() * weights - 2.0 * each[:, None] * heard)
        np.add.at(slope, makes, 2.0 * totals - 2.0 * totals.sum() * weights.sum(1))
        return float(totals.sum())


def balanced(parts: Sequence[Shared | Weighted], classes: int, free: Ids) -> Real:
    """(classes,) the units that make the least noise; 1 for all that are not `free`."""
    logs, mean, square = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    mask = np.zeros(classes)
    mask[free] = 1.0
    for step in range(1, STEPS + 1):
        slope = np.zeros(classes)
        total = sum(part.noise(np.exp(logs), slope) for part in parts)
        slope *= mask / max(total, 1e-300)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        rate = RATE * min(1.0, 3.0 * (1.0 - step / (STEPS + 1)))
        logs -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        logs = np.clip(logs, -WIDEST, WIDEST)
    return np.exp(logs)


def _largest(values: Real, axis: int) -> tuple[Real, Real]:
    """The maximum along the last axis, nearly, and how much of it each value makes up."""
    top = np.maximum(values.max(axis, keepdims=True), 1e-300)
    powers = (values / top) ** SHARPNESS
    sums = powers.sum(axis, keepdims=True)
    return np.squeeze(top * sums ** (1.0 / SHARPNESS), axis), powers / sums
