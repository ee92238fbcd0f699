from __future__ import annotations

import numpy as np
import pytest

from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.tally import measured as of


def error(values, amplitude):
    """Mean squared error of storing `values` with the highest code at `amplitude`."""
    return float(np.mean((INT8.round_trip(values, amplitude / 127) - values) ** 2))


def test_the_error_on_the_values_is_within_one_percent_of_the_best_amplitude(smooth):
    """Against 2000 amplitudes tried on the values themselves."""
    values, measured = smooth
    best = min(error(values, measured.amplitude * k / 2000) for k in range(20, 2001))
    assert error(values, Mse().choose(measured, INT8).amplitude) <= 1.01 * best


@pytest.mark.parametrize("outlier", [2.0, 30.0, 300.0])
def test_an_outlier_is_clipped_when_that_costs_less_than_it_coarsens(outlier):
    values = np.append(np.random.default_rng(0).uniform(-1, 1, 50_000), outlier)
    chosen = Mse().choose(of(values), INT8).amplitude
    assert error(values, chosen) <= 1.01 * min(error(values, outlier * k / 2000) for k in range(1, 2001))


def test_it_never_loses_more_than_keeping_everything(anything):
    """However few and odd the values are, up to the error of taking a bin's middle for its values."""
    values, measured = anything
    chosen = Mse().choose(measured, INT8).amplitude
    if measured.amplitude > 1e-30:  # below, scales are floored
        finest = (measured.amplitude / 127) ** 2 / 4
        assert error(values, chosen) <= error(values, measured.amplitude) + finest
