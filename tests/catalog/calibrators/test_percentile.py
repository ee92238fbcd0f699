from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.catalog.calibrators.percentile import Percentile
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.tally import measured as of


def assert_within_one_bin(values, percentile):
    """Above the quantile of the magnitudes, by at most the width of a bin; never above the largest."""
    measured = of(values)
    quantile = float(np.quantile(np.abs(values), percentile / 100, method="inverted_cdf"))
    chosen = Percentile(percentile).choose(measured, INT8).amplitude
    assert quantile <= chosen <= min(quantile + measured.width, measured.amplitude)


@pytest.mark.parametrize("percentile", [0.1, 50, 99, 99.9, 99.99, 99.999, 100])
def test_it_is_the_quantile_of_the_magnitudes_within_one_bin(smooth, percentile):
    assert_within_one_bin(smooth[0], percentile)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    arrays.arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e3, 1e3, width=16)),
    st.sampled_from([1, 10, 25, 50, 90, 100]),
)
def test_so_it_is_for_any_values(values, percentile):
    assert_within_one_bin(values, percentile)


def test_all_of_them_are_the_maximum(anything):
    values, measured = anything
    assert Percentile(100.0).choose(measured, INT8).amplitude == np.abs(values).max(initial=0.0)


def test_rare_outliers_are_clipped():
    values = np.append(np.linspace(-1, 1, 99_999), 1000.0)
    measured = of(values)
    assert Percentile(99.9).choose(measured, INT8).amplitude <= 1 + measured.width
