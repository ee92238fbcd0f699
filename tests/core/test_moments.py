"""Moments: least squares against numpy's own."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest

from onnxq.core.moments import Moments

DRAW = np.random.default_rng(0)
PATCHES = DRAW.standard_normal((2, 200, 5)) + 1.0
TARGETS = PATCHES @ DRAW.standard_normal((2, 5, 3)) + 0.1 * DRAW.standard_normal((2, 200, 3)) + 2.0
WEIGHT = DRAW.standard_normal((2, 3, 5))
FOUND = Moments.of(PATCHES, TARGETS)


def test_parts_add_up_to_the_whole():
    parts = [Moments.of(PATCHES[:, k : k + 50], TARGETS[:, k : k + 50]) for k in range(0, 200, 50)]
    whole = reduce(add, parts)
    assert whole.count == 200
    np.testing.assert_allclose(whole.moment, FOUND.moment)
    np.testing.assert_allclose(whole.bias(WEIGHT), FOUND.bias(WEIGHT))


def test_the_moment_is_the_covariance():
    np.testing.assert_allclose(FOUND.moment[0], np.cov(PATCHES[0].T, bias=True))


def test_without_caution_the_refitted_weight_is_that_of_least_squares():
    bordered = np.concatenate([PATCHES, np.ones((2, 200, 1))], axis=2)
    best = np.stack([np.linalg.lstsq(x, y)[0].T for x, y in zip(bordered, TARGETS, strict=True)])
    refitted = FOUND.refitted(WEIGHT, 0.0)
    np.testing.assert_allclose(refitted, best[:, :, :5], atol=1e-9)
    np.testing.assert_allclose(FOUND.bias(refitted), best[:, :, 5], atol=1e-9)


def test_with_much_caution_the_weight_stays():
    np.testing.assert_allclose(FOUND.refitted(WEIGHT, 1e9), WEIGHT, atol=1e-6)


def test_the_noise_is_that_of_the_outputs():
    bias = DRAW.standard_normal((2, 3))
    missed = PATCHES @ np.swapaxes(WEIGHT, 1, 2) + bias[:, None] - TARGETS
    np.testing.assert_allclose(FOUND.noise(WEIGHT, bias), np.square(missed).mean(axis=1))


def test_without_a_bias_means_are_not_taken_away():
    found = FOUND.about_zero
    np.testing.assert_allclose(found.moment[1], PATCHES[1].T @ PATCHES[1] / 200)
    assert not found.bias(WEIGHT).any()
    best = np.linalg.lstsq(PATCHES[0], TARGETS[0])[0].T
    assert found.refitted(WEIGHT, 0.0)[0] == pytest.approx(best)
