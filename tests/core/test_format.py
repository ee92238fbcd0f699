"""Formats: one operation divides, snaps and saturates, for whatever grid."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.format import Format, Range

THIRDS = Format("thirds", "INT8", low=-3, high=6, snap=lambda x: np.rint(x / 3) * 3, doc="codes -3, 0, 3 and 6")


@pytest.mark.parametrize(("low", "high", "amplitude"), [(-3, 1, 3), (-1, 3, 3), (0, 2, 2), (-2, 0, 2), (0, 0, 0)])
def test_the_amplitude_of_a_range_is_its_larger_side(low, high, amplitude):
    assert Range(low, high).amplitude == amplitude


def test_codes_are_divided_snapped_and_saturated():
    assert THIRDS.encode(np.float64([-100, -3, -1, 1, 3.1, 100]), np.float64(2.0)).tolist() == [-3, 0, 0, 0, 3, 6]


def test_a_round_trip_gives_points_of_the_grid_back_exactly():
    grid = np.float64([-3, 0, 3, 6]) * 0.25
    assert THIRDS.round_trip(grid, np.float64(0.25)).tolist() == grid.tolist()


def test_a_round_trip_of_a_round_trip_changes_nothing():
    values = np.random.default_rng(0).normal(size=100)
    once = THIRDS.round_trip(values, np.float64(0.1), zero_point=3)
    np.testing.assert_array_equal(THIRDS.round_trip(once, np.float64(0.1), zero_point=3), once)


def test_the_scale_puts_the_amplitude_on_the_highest_code():
    assert THIRDS.scale(Range(-12.0, 3.0)) == 2.0
    assert THIRDS.scale(Range(0.0, 0.0)) == 0.0
