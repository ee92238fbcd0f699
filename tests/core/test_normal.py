"""Closed formulas of what becomes of normally distributed numbers, against sums over fine steps and drawn numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onnxq.core.normal import Normal

MEANS = np.array([0.0, 0.7, -1.5, 4.0, -6.0])
DEVIATIONS = np.array([1.0, 0.2, 2.0, 1.0, 0.5])
NORMAL = Normal(MEANS, DEVIATIONS)
INTERVALS = [(0.0, math.inf), (0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.5), (-math.inf, math.inf), (2.0, 3.0)]


def expected(function):
    """Mean and variance of a function of the numbers, the density summed up at many places."""
    steps = np.linspace(-12.0, 12.0, 100_001)
    density = np.exp(-(steps**2) / 2)
    density /= density.sum()
    found = [function(mean + deviation * steps) for mean, deviation in zip(MEANS, DEVIATIONS, strict=True)]
    means = np.array([(density * values).sum() for values in found])
    return means, np.array([(density * (values - mean) ** 2).sum() for values, mean in zip(found, means, strict=True)])


@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_mean_and_variance_of_what_is_clipped(low, high):
    for found, right in zip(NORMAL.clipped(low, high), expected(lambda x: np.clip(x, low, high)), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-5)


@pytest.mark.parametrize("slope", [0.01, 0.0, -1.0, 1.0])
def test_mean_and_variance_behind_a_slope(slope):
    found = NORMAL.leaky(np.array(slope))
    for one, right in zip(found, expected(lambda x: np.where(x > 0, x, slope * x)), strict=True):
        np.testing.assert_allclose(one, right, atol=1e-5)


def test_each_channel_may_have_a_slope_of_its_own():
    slopes = np.array([0.0, 0.25, 0.5, 1.0, -1.0])
    each = [NORMAL.leaky(np.array(slope))[0][channel] for channel, slope in enumerate(slopes)]
    np.testing.assert_array_equal(NORMAL.leaky(slopes)[0], each)


@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_drawn_numbers_have_these_moments(low, high):
    drawn = np.random.default_rng(0).normal(MEANS[:, None], DEVIATIONS[:, None], (5, 100_000))
    kept = np.clip(drawn, low, high)
    mean, variance = NORMAL.clipped(low, high)
    np.testing.assert_allclose(mean, kept.mean(1), atol=0.02)
    np.testing.assert_allclose(variance, kept.var(1), rtol=0.03, atol=1e-3)


@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_share_and_moments_between_two_bounds_are_integrals(low, high):
    found = NORMAL.within(low, high)
    for power, one in enumerate(found):
        right, _ = expected(lambda x, power=power: np.where((x >= low) & (x <= high), x**power, 0.0))
        np.testing.assert_allclose(one, right, atol=2e-3)


def test_a_relu_of_numbers_around_zero_has_the_mean_that_books_have():
    """1 / sqrt(2 pi), and the variance 1 / 2 - 1 / (2 pi)."""
    mean, variance = Normal(np.zeros(1), np.ones(1)).clipped(0.0, math.inf)
    assert mean == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-12)
    assert variance == pytest.approx(0.5 - 1 / (2 * math.pi), rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_constants_are_what_they_are():
    constants = Normal(np.array([2.0, -3.0, 0.0]), np.zeros(3))
    for (mean, variance), right in (
        (constants.clipped(0.0, math.inf), [2.0, 0.0, 0.0]),
        (constants.clipped(-1.0, 1.0), [1.0, -1.0, 0.0]),
        (constants.leaky(np.array(0.5)), [2.0, -1.5, 0.0]),
    ):
        np.testing.assert_allclose(mean, right, atol=1e-12)
        np.testing.assert_allclose(variance, 0.0, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_what_is_not_known_stays_unknown():
    unknown = Normal(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    assert np.isnan(unknown.clipped(0.0, 6.0)).all()
    assert np.isnan(unknown.leaky(np.array(0.1))).all()


def test_other_units_and_zeros_move_it():
    moved = NORMAL.moved(np.full(5, 2.0), np.arange(5.0))
    np.testing.assert_array_equal(moved.mean, MEANS / 2 - np.arange(5))
    np.testing.assert_array_equal(moved.deviation, DEVIATIONS / 2)
