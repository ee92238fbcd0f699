"""What calibrators find in a histogram is what they would find in the values themselves, within 0.5 % of the range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.calibrators.percentile import Percentile
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.tally import measured

CLOSE = 0.005


def test_max_is_exact(anything):
    values, found = anything
    assert Max().choose(found, INT8).amplitude == np.abs(values).max(initial=0)


@pytest.mark.parametrize("percentile", [50, 99, 99.9, 99.99, 100])
def test_percentile(smooth, percentile):
    values, found = smooth
    exact = np.quantile(np.abs(values), percentile / 100, method="inverted_cdf")
    assert abs(Percentile(percentile=percentile).choose(found, INT8).amplitude - exact) <= CLOSE * found.amplitude


def test_mse(smooth):
    """A range within 0.5 % of the best one, or no worse by more than 0.1 % where the error is that flat."""
    values, found = smooth

    def error(amplitude):
        return np.sum((INT8.round_trip(values, amplitude / 127) - values) ** 2)

    tried = np.linspace(found.amplitude / 1000, found.amplitude, 1000)
    errors = np.array([error(amplitude) for amplitude in tried])
    chosen = Mse().choose(found, INT8).amplitude
    close = abs(chosen - tried[int(errors.argmin())]) <= CLOSE * found.amplitude
    assert close or error(chosen) <= errors.min() * 1.001


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_mse_of_the_few_values_of_a_weight_channel(seed):

    values = np.random.default_rng(seed).normal(size=144)
    chosen = Mse().choose(measured(values), INT8).amplitude

    def error(amplitude):
        return np.sum((INT8.round_trip(values, amplitude / 127) - values) ** 2)

    best = min(error(amplitude) for amplitude in np.linspace(0.4, 1, 500) * np.abs(values).max())
    assert error(chosen) <= best * 1.2
