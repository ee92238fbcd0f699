"""What holds for every calibrator and every tensor."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.recipe import Recipe
from onnxq.core.tally import measured as of

every = pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda calibrator: calibrator.name)


def assert_inside(chosen, values):
    low, high = min(values.min(initial=0.0), 0.0), max(values.max(initial=0.0), 0.0)
    assert low <= chosen.low <= 0.0 <= chosen.high <= high


@every
@pytest.mark.filterwarnings("error")
def test_the_range_lies_inside_the_measured_one_and_holds_zero(calibrator, anything):
    values, measured = anything
    chosen = calibrator.choose(measured, INT8)
    assert_inside(chosen, values)
    assert (chosen.amplitude > 0) == bool(np.any(values))


@every
@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    values=arrays.arrays(
        np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
def test_so_it_does_for_any_values_at_all(calibrator, values):
    assert_inside(calibrator.choose(of(values), INT8), values)


@every
@pytest.mark.parametrize("value", [7.7, -7.7, 1e-30, 1e30])
def test_a_constant_survives_within_half_a_code(calibrator, value):
    values = np.full(1000, value, np.float64)
    scale = INT8.scale(calibrator.choose(of(values), INT8))
    assert np.abs(INT8.round_trip(values, scale) - values).max() <= scale / 2


@pytest.mark.parametrize(
    "calibrator", [c for c in CALIBRATORS if c.name not in ("auto", "mse")], ids=lambda calibrator: calibrator.name
)
def test_all_but_mse_keep_a_constant_exactly(calibrator):
    """mse chooses among candidates that lie 1/256 of the histogram apart."""
    assert calibrator.choose(of(np.full(1000, 7.7)), INT8).amplitude == 7.7


@every
@pytest.mark.parametrize("factor", [2.0**-60, 2.0**40, -1.0])
def test_scaling_the_values_by_a_power_of_two_or_turning_them_scales_the_range(calibrator, factor, smooth):
    values, measured = smooth
    scaled = of(values * factor)
    assert calibrator.choose(scaled, INT8).amplitude == calibrator.choose(measured, INT8).amplitude * abs(factor)


@every
def test_choosing_changes_no_statistics(calibrator, smooth):
    _, measured = smooth
    before = measured.histogram.copy()
    calibrator.choose(measured, INT8)
    np.testing.assert_array_equal(measured.histogram, before)


@every
def test_parameters_are_frozen_and_are_fields_of_the_recipe(calibrator):
    assert is_dataclass(calibrator)
    assert {field.name for field in fields(calibrator)} <= {field.name for field in fields(Recipe)}
    with pytest.raises(FrozenInstanceError):
        calibrator.name = "other"
