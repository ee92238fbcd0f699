"""What is drawn of an activation: few bars that hold every number, and what a range leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.format import Range
from onnxq.core.histogram import BARS, Histogram
from onnxq.core.tally import measured

NORMAL = np.random.default_rng(0).normal(size=10_000).astype(np.float32)


def drawn(values, taken=None):
    return Histogram.of("t", measured(np.asarray(values, np.float32)), {}, taken, "mse")


@pytest.mark.parametrize("values", [NORMAL, np.abs(NORMAL), -np.abs(NORMAL), NORMAL * 1e20, np.zeros(5), np.ones(3)])
def test_the_bars_hold_every_number(values):
    found = drawn(values)
    assert sum(found.counts) == found.count == len(values)
    assert len(found.counts) <= BARS


def test_bars_stand_where_the_numbers_are():
    found = drawn([-3.0, 1.0])
    assert found.left == pytest.approx(-3.0, abs=found.width)
    assert found.counts[0] == 1
    assert found.left + found.width * len(found.counts) == pytest.approx(1.0, abs=found.width)
    assert found.counts[-1] == 1


def test_numbers_outside_of_the_taken_range_are_clipped_on_either_side():
    values = np.repeat(np.array([-4.0, -1.0, 1.0, 4.0], np.float32), [1, 4, 4, 1])
    assert drawn(values, Range(-2.0, 2.0)).clipped == pytest.approx(0.2)
    assert drawn(values, Range(-8.0, 2.0)).clipped == pytest.approx(0.1)
    assert drawn(values, Range(-2.0, 8.0)).clipped == pytest.approx(0.1)
    assert drawn(values, Range(-8.0, 8.0)).clipped == 0.0


def test_a_range_far_beyond_the_numbers_clips_nothing():
    assert drawn(NORMAL, Range(-1e30, 1e30)).clipped == 0.0


def test_without_negative_numbers_a_range_that_begins_at_zero_clips_above_only():
    assert drawn([0.0, 0.0, 0.5, 3.0], Range(0.0, 1.0)).clipped == pytest.approx(0.25)
