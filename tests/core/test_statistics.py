"""TensorStatistics: a function of the set of values alone, however they come in."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.core.bins import HALF, MIDDLE, SMALLEST_EXPONENT
from onnxq.core.tally import Tally, measured

exact = settings(max_examples=100, deadline=None, derandomize=True)

FINITE = {
    np.float16: st.floats(width=16, allow_nan=False, allow_infinity=False),
    np.float32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    np.float64: st.floats(allow_nan=False, allow_infinity=False),
}
AWKWARD = np.array([0.0, -0.0, 1e-45, -1e-45, 1.2e-38, -3e38, 3e38, 1.0, -1.0, 0.5, 2.0**-20], np.float32)


@st.composite
def values(draw, smallest=0):
    """Floats of one type: of all sizes, zeros, denormals and repetitions among them."""
    dtype = draw(st.sampled_from(list(FINITE)))
    sizes = st.one_of(FINITE[dtype], st.floats(-8, 8, width=16), st.sampled_from([0.0, -0.0, 1.0, -1.0]))
    return draw(arrays.arrays(dtype, st.integers(smallest, 60), elements=sizes))


def of(array):
    return measured(np.asarray(array))


def streamed(parts):
    """The same numbers, counted part by part."""
    tally = Tally()
    for part in parts:
        assert tally.add(part, 1)
    return tally.measured()


def as_tuple(found):
    return (found.count, found.low, found.high, found.exponent, found.histogram.tolist())


def split(array, cuts):
    return np.split(array, sorted(cut % (len(array) + 1) for cut in cuts))


@exact
@given(values(), st.lists(st.integers(0, 100), max_size=6))
@example(AWKWARD, [3, 5])
def test_any_split_into_batches_gives_the_same(array, cuts):
    assert as_tuple(streamed(split(array, cuts))) == as_tuple(of(array))


@exact
@given(values(), st.randoms(use_true_random=False))
@example(AWKWARD, random.Random(0))
def test_any_order_gives_the_same(array, order):
    shuffled = array.copy()
    order.shuffle(shuffled)
    assert as_tuple(streamed(np.split(shuffled, len(array) or 1))) == as_tuple(of(array))


@exact
@given(values(), st.lists(st.integers(0, 100), max_size=6), st.randoms(use_true_random=False))
@example(AWKWARD, [1, 2, 4, 8], random.Random(0))
def test_any_merge_tree_gives_the_same(array, cuts, order):
    forest = [of(part) for part in split(array, cuts)]
    while len(forest) > 1:
        left, right = (forest.pop(order.randrange(len(forest))) for _ in range(2))
        forest.append(left.merge(right))
    assert as_tuple(forest[0]) == as_tuple(of(array))


@exact
@given(values())
def test_merging_with_nothing_changes_nothing(array):
    empty = Tally().measured()
    assert as_tuple(of(array).merge(empty)) == as_tuple(empty.merge(of(array))) == as_tuple(of(array))


@exact
@given(values())
def test_the_shape_and_the_memory_order_do_not_matter(array):
    grid = np.stack([array, array[::-1]])
    assert as_tuple(of(grid)) == as_tuple(of(np.asfortranarray(grid))) == as_tuple(of(np.concatenate([array, array])))


@exact
@given(values())
@example(AWKWARD)
def test_float32_and_float64_of_the_same_values_count_the_same(array):
    assert as_tuple(of(array.astype(np.float64))) == as_tuple(of(array))


def test_more_values_than_are_binned_at_once_give_the_same():
    array = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    assert as_tuple(streamed(np.array_split(array, 7))) == as_tuple(of(array))


@exact
@given(values(smallest=1))
@example(AWKWARD)
def test_count_low_and_high_are_those_of_the_values(array):
    found = of(array)
    assert (found.count, found.low, found.high) == (array.size, array.min(), array.max())
    assert found.amplitude == np.abs(array).max()
    assert found.histogram.sum() == array.size


@exact
@given(values(smallest=1))
@example(AWKWARD)
def test_a_value_lies_in_the_bin_that_the_docstring_names(array):
    """Bin MIDDLE + k holds [k, k + 1) widths, its mirror image MIDDLE - k (-(k + 1), -k]; they share the middle."""
    found = of(array)
    expected = [0] * (2 * HALF - 1)
    for value in array.astype(np.float64).tolist():
        k = math.floor(abs(value) / 2.0**found.exponent) if abs(value) >= 2.0**found.exponent else 0
        expected[MIDDLE - k if value < 0 else MIDDLE + k] += 1
    assert found.histogram.tolist() == expected


@exact
@given(values(smallest=1))
def test_the_width_is_the_smallest_power_of_two_that_fits(array):
    found = of(array)
    assert found.width == 2.0**found.exponent
    assert found.amplitude < HALF * found.width
    assert found.exponent == SMALLEST_EXPONENT or found.amplitude >= HALF // 2 * found.width


@pytest.mark.parametrize(
    ("value", "exponent"), [(1.0, -12), (1.5, -12), (1.999, -12), (2.0, -11), (-2.0, -11), (0.5, -13)]
)
def test_powers_of_two_start_the_next_exponent(value, exponent):
    assert of(np.float32([value])).exponent == exponent


def test_nothing_seen_yet():
    tally = Tally()
    assert tally.add(np.zeros((0, 3), np.float32), 1)
    found = tally.measured()
    assert (found.count, found.low, found.high, found.amplitude) == (0, math.inf, -math.inf, 0.0)
    assert found.magnitudes().tolist() == [0]


def test_counting_on_leaves_what_was_measured_before_as_it_was():
    tally = Tally(axis=0)
    tally.add(np.float32([1, 2]), 1)
    before = tally.measured()
    kept, channels = as_tuple(before), before.channels.tolist()
    for values in ([1.5, 0], [100, -3]):
        tally.add(np.float32(values), 1)
    before.merge(before)
    before.merge(of(np.float32([1e-9])))
    assert (as_tuple(before), before.channels.tolist()) == (kept, channels)


@exact
@given(values(smallest=1))
def test_magnitudes_fold_the_histogram_and_end_with_the_largest(array):
    found = of(array)
    bins = np.minimum(np.abs(array.astype(np.float64)) / found.width, HALF - 1).astype(int)
    assert found.magnitudes().tolist() == np.bincount(bins).tolist()


def test_magnitudes_of_zeros_are_one_bin():
    assert of(np.zeros(5, np.float32)).magnitudes().tolist() == [5]


@exact
@given(values(smallest=1), st.sampled_from([2, 4, 7]))
def test_merged_magnitudes_are_those_in_wider_bins(array, merged):
    found = of(array)
    bins = np.minimum(np.abs(array.astype(np.float64)) / found.width, HALF - 1).astype(int) // merged
    assert found.magnitudes(merged).tolist() == np.bincount(bins).tolist()


@pytest.mark.parametrize(
    ("array", "amplitude", "low", "high"),
    [
        ([-1, 3], 2, -1, 2),
        ([-3, 1], 2, -2, 1),
        ([-3, 3], 2, -2, 2),
        ([-3, 3], 9, -3, 3),
        ([2, 3], 9, 0, 3),
        ([-3, -2], 9, -3, 0),
        ([0, 0], 9, 0, 0),
        ([], 9, 0, 0),
    ],
)
def test_a_clipped_range_is_the_measured_one_cut_and_widened_to_hold_zero(array, amplitude, low, high):
    chosen = of(np.float32(array)).clipped(amplitude)
    assert (chosen.low, chosen.high) == (low, high)
