"""Normally distributed numbers, which is what BatchNormalization makes, and what becomes of them at a bend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

LEAST = 1e-30
"""Deviations that are smaller count as this, so that constants need no case of their own."""


@dataclass(frozen=True)
class Normal:
    """Distributions of numbers, one for each channel, or in any other shape.

    Attributes:
        mean: of each.
        deviation: the standard deviation of each, in the same shape.
    """

    mean: Real
    deviation: Real

    def moved(self, scale: Real, shift: Real) -> Normal:
        """Of the same numbers in another unit and from another zero, x' = x / scale - shift."""
        return Normal(self.mean / scale - shift, self.deviation / scale)

    def clipped(self, low: float, high: float) -> tuple[Real, Real]:
        """Mean and variance of min(max(x, low), high), Relu among them: Nagel et al. 2019, appendix C.

        What is cut off at an end is all at that end, so it counts with its share; `within` tells of the rest.
        """
        _, first, second = self.within(low, high)
        below, above = self.within(-math.inf, low)[0], self.within(high, math.inf)[0]
        for end, cut in ((low, below), (high, above)):
            if math.isfinite(end):
                first, second = first + end * cut, second + end**2 * cut
        return first, np.maximum(second - first**2, 0.0)

    def leaky(self, slope: Real) -> tuple[Real, Real]:
        """Mean and variance of LeakyRelu and PRelu: x where it is positive, slope * x elsewhere.

        Args:
            slope: broadcasts against the distributions.
        """
        _, first, second = self.within(0.0, math.inf)
        _, other, square = self.within(-math.inf, 0.0)
        mean = first + slope * other
        return mean, np.maximum(second + slope**2 * square - mean**2, 0.0)

    def within(self, low: float, high: float) -> tuple[Real, Real, Real]:
        """The integrals of 1, x and x**2 from `low` to `high`, weighed by the density.

        With m the mean, s the deviation, f and F the density and the distribution of the standard normal, and
        a = (low - m) / s, b = (high - m) / s, integration by parts gives::

            share  = F(b) - F(a)
            first  = m share + s (f(a) - f(b))
            second = m first + s**2 share + s (low f(a) - high f(b))

        as in Johnson, Kotz and Balakrishnan 1994, chapter 13, section 10.1, where all are divided by the share.
        """
        deviation = np.maximum(self.deviation, LEAST)
        shares, densities, moments = [], [], []
        for end in (low, high):
            place = (end - self.mean) / deviation
            shares.append(_distribution(place))
            densities.append(np.exp(-np.square(np.clip(place, -50.0, 50.0)) / 2) / math.sqrt(2 * math.pi))
            moments.append(end * densities[-1] if math.isfinite(end) else np.zeros_like(self.mean))
        share = shares[1] - shares[0]
        first = self.mean * share + deviation * (densities[0] - densities[1])
        second = self.mean * first + deviation**2 * share + deviation * (moments[0] - moments[1])
        return share, first, second


def _distribution(places: Real) -> Real:
    """The share of a standard normal distribution that is below some places."""
    halves = [math.erfc(-place / math.sqrt(2)) / 2 for place in places.ravel().tolist()]
    return np.array(halves, np.float64).reshape(places.shape)
