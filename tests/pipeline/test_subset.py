"""A subset of the samples that does not depend on how they come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.core.batch import InputSpec
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.errors import DataError
from onnxq.pipeline.subset import Subset, canonical, parted

SAMPLES = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
INPUTS = (InputSpec("x", "float32", (None, 3)),)


def remembered(source, size=8, inputs=INPUTS):
    subset = Subset(source, inputs, size)
    assert sum(batch.samples for batch in subset.batches()) == len(subset)
    batches = list(subset.remembered().batches())
    return np.concatenate([batch.feeds["x"][: batch.samples] for batch in batches])


EXPECTED = remembered(ArraySource({"x": SAMPLES}, INPUTS, 40))


def test_it_has_the_size_that_was_asked_for_and_holds_samples_each_once():
    rows = {row.tobytes() for row in EXPECTED}
    assert len(rows) == len(EXPECTED) == 8
    assert rows <= {row.tobytes() for row in SAMPLES}


def test_all_are_remembered_where_there_are_fewer():
    assert len(remembered(ArraySource({"x": SAMPLES[:5]}, INPUTS))) == 5


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_order_and_batch_size_make_no_difference(order, size):
    shuffled = SAMPLES[order.sample(range(40), 40)]
    np.testing.assert_array_equal(remembered(ArraySource({"x": shuffled}, INPUTS, size)), EXPECTED)


def test_nor_do_passes_over_a_part_of_them():
    subset = Subset(ArraySource({"x": SAMPLES}, INPUTS, 7), INPUTS, 8)
    for start in (0, 30, 0):
        list(subset.batches(start))
    (batch,) = subset.remembered().batches()
    np.testing.assert_array_equal(batch.feeds["x"], EXPECTED)


def test_a_fixed_batch_size_is_kept():
    fixed = (InputSpec("x", "float32", (16, 3)),)
    subset = Subset(ArraySource({"x": SAMPLES}, fixed), fixed, 8)
    list(subset.batches())
    (batch,) = subset.remembered().batches()
    assert (batch.feeds["x"].shape, batch.samples) == ((16, 3), 8)
    np.testing.assert_array_equal(batch.feeds["x"][:8], EXPECTED)


def test_feeds_are_remembered_whole():
    feeds = [{"x": SAMPLES[start : start + 5].copy()} for start in range(0, 40, 5)]
    subset = Subset(FeedSource(iter(feeds), INPUTS), INPUTS, 3)
    for batch in subset.batches():
        batch.feeds["x"][:] = 0  # the caller may use its buffer again
    assert [batch.feeds["x"].shape for batch in subset.remembered().batches()] == [(5, 3)] * 3


LABELS = np.arange(40) % 4


def canonically(samples, labels, size=7, **limits):
    limits = {"memory": 10**9} | limits
    source = canonical(ArraySource({"x": samples}, INPUTS, size, labels), INPUTS, **limits)
    (batch,) = source.rebatched(100).batches()
    return batch.feeds["x"], batch.labels


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_canonical_samples_keep_their_labels_in_one_order(order, size):
    chosen = order.sample(range(40), 40)
    rows, labels = canonically(SAMPLES[chosen], LABELS[chosen], size)
    expected_rows, expected_labels = canonically(SAMPLES, LABELS)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(labels, expected_labels)
    assert all((SAMPLES[label == LABELS] == row).all(axis=1).any() for row, label in zip(rows, labels, strict=True))


def test_equal_samples_count_as_often_as_they_are_there():
    rows, labels = canonically(np.repeat(SAMPLES[:2], 3, axis=0), np.array([0, 1, 1, 2, 2, 2]))
    assert len(rows) == 6
    assert sorted(labels) == [0, 1, 1, 2, 2, 2]


def test_more_than_fits_into_memory_is_left_out_and_one_is_always_there():
    assert len(canonically(SAMPLES, LABELS, memory=SAMPLES[:10].nbytes)[0]) == 10
    assert len(canonically(SAMPLES, LABELS, memory=1)[0]) == 1
    assert len(canonically(SAMPLES, LABELS, most=4)[0]) == 4


def test_no_samples_are_an_error():
    with pytest.raises(DataError, match=r"There are no samples to measure on\. Give data with at least one"):
        canonical(FeedSource([], INPUTS), INPUTS, 100)


class TestParted:
    def rows(self, source):
        return [row.tobytes() for batch in source.batches() for row in batch.feeds["x"][: batch.samples]]

    def test_a_quarter_is_kept_aside_and_nothing_is_in_both(self):
        samples, aside = parted(ArraySource({"x": SAMPLES}, INPUTS), INPUTS, 1 << 20, 512, 64)
        assert (len(samples), len(aside)) == (30, 10)
        assert {*self.rows(samples), *self.rows(aside)} == {row.tobytes() for row in SAMPLES}

    @pytest.mark.parametrize(("most", "aside", "expected"), [(512, 4, (36, 4)), (12, 4, (12, 4)), (8, 64, (30, 10))])
    def test_there_are_no_more_than_was_asked_for(self, most, aside, expected):
        samples, kept = parted(ArraySource({"x": SAMPLES}, INPUTS), INPUTS, 1 << 20, most, aside)
        assert (len(samples), len(kept)) == expected

    def test_of_three_none_is_kept_aside(self):
        samples, aside = parted(ArraySource({"x": SAMPLES[:3]}, INPUTS), INPUTS, 1 << 20, 512, 64)
        assert (len(samples), aside) == (3, None)

    def test_neither_order_nor_batches_matter(self):
        one = parted(ArraySource({"x": SAMPLES}, INPUTS, batch_size=7), INPUTS, 1 << 20, 512, 64)
        other = parted(ArraySource({"x": SAMPLES[::-1]}, INPUTS, batch_size=40), INPUTS, 1 << 20, 512, 64)
        assert [self.rows(source) for source in one] == [self.rows(source) for source in other]
