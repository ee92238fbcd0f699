"""The units of channels for which quantization makes the least noise, of activations and of weights together.

An activation's channels share one scale, so a channel that is small in its unit is stored coarsely. To make it large,
weights behind must be made small, which share a scale too. Both kinds of noise are summed up as if all errors were
independent, weighted by how much of them comes out, and the sum is made small by gradient descent on the logarithms of
the units.
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

ROUNDING = 1.0 / 12.0 / 127.0**2
"""The mean squared error of rounding to 127 steps from 0 to 1."""

WIDEST = 4.0
"""Logarithms of units stay within this."""


@dataclass(frozen=True)
class Shared:
    """Activations that share a scale.

    Attributes:
        classes: (channels,) whose unit each channel has.
        amplitudes: (channels,) in the old unit.
        gains: (channels,) of noise in them, in the old unit.
        shares: (channels,) of numbers that are not 0, which has a code of its own.
        energies: (channels,) mean squares: no more noise can be made of a channel.
    """

    classes: Ids
    amplitudes: Real
    gains: Real
    shares: Real
    energies: Real

    def noise(self, units: Real, slope: Real) -> float:
        """The noise that comes out, with its slope by the logarithms of the units added to `slope`."""
        unit = units[self.classes]
        largest, weights = _largest(self.amplitudes / unit)
        made, slopes = _bounded(self.shares * (largest * unit) ** 2 * ROUNDING, self.energies)
        slopes = 2.0 * self.gains * slopes
        np.add.at(slope, self.classes, slopes - slopes.sum() * weights)
        return float((self.gains * made).sum())


@dataclass(frozen=True)
class Weighted:
    """A weight with a scale for each output channel, or with one.

    Attributes:
        classes: (out_channels, in_channels / group) whose unit each input channel has.
        magnitudes: likewise, the largest weights.
        energies: likewise, mean squares of the weights.
        powers: likewise, the mean squares of what they multiply, times their number.
        gains: (out_channels,) of noise in what they sum up to.
        makes: (out_channels,) whose unit each output channel has, if one scale serves all of them; else None.
    """

    classes: Ids
    magnitudes: Real
    energies: Real
    powers: Real
    gains: Real
    makes: Ids | None = None

    def noise(self, units: Real, slope: Real) -> float:
        """The noise that comes out, with its slope by the logarithms of the units added to `slope`."""
        factor = units[self.classes]
        if self.makes is not None:
            factor = factor / units[self.makes][:, None]
        values = self.magnitudes * factor
        largest, weights = _largest(values if self.makes is None else values.reshape(1, -1))
        made, slopes = _bounded((largest[:, None] / factor) ** 2 * ROUNDING, self.energies)
        heard = self.gains[:, None] * self.powers
        slopes = 2.0 * heard * slopes
        weights = weights.reshape(slopes.shape)
        rise = weights * (slopes.sum(1, keepdims=True) if self.makes is None else slopes.sum()) - slopes
        np.add.at(slope, self.classes, rise)
        if self.makes is not None:
            np.add.at(slope, self.makes, -rise.sum(1))
        return float((heard * made).sum())


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


def _bounded(noise: Real, energies: Real) -> tuple[Real, Real]:
    """Noise that grows to `energies` at most, and its slope by the logarithm of `noise`."""
    kept = energies / np.maximum(noise + energies, 1e-300)
    return noise * kept, noise * kept**2


def _largest(values: Real) -> tuple[Real, Real]:
    """The maximum along the last axis, nearly, and how much of it each value makes up."""
    top = np.maximum(values.max(-1, keepdims=True), 1e-300)
    powers = (values / top) ** SHARPNESS
    sums = powers.sum(-1, keepdims=True)
    return np.squeeze(top * sums ** (1.0 / SHARPNESS), -1), powers / sums
