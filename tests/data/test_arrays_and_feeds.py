"""Sources: every sample once, in the shape the model asks for, and refusals that say what to change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.core.batch import InputSpec
from onnxq.data import source
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Request
from onnxq.data.labels import split_labels
from onnxq.errors import DataError

X = InputSpec("x", "float32", (None, 2))
SAMPLES = np.arange(14, dtype=np.float32).reshape(7, 2)


def rows(batches, name="x"):
    """The samples fed, without the repeated ones, and how many were counted."""
    batches = list(batches)
    fed = [batch.unpadded(batch.feeds[name]).tolist() for batch in batches]
    assert [batch.samples for batch in batches] == [len(part) for part in fed]
    return [row for part in fed for row in part]


class TestArrays:
    """Arrays with samples on the first axis."""

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(count=st.integers(1, 20), size=st.integers(1, 9), fixed=st.booleans())
    def test_every_sample_comes_once_and_in_order(self, count, size, fixed):
        samples = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
        given = ArraySource({"x": samples}, [InputSpec("x", "float32", (size if fixed else None, 2))], size)
        for _ in range(2):
            assert rows(given.batches()) == samples.tolist()
        assert len(given) == count

    def test_a_fixed_batch_is_filled_up_with_samples_that_do_not_count(self):
        last = list(ArraySource({"x": SAMPLES}, [InputSpec("x", "float32", (5, 2))]).batches())[-1]
        assert (last.samples, last.padded) == (2, 3)
        assert last.feeds["x"].tolist() == SAMPLES[[5, 6, 5, 6, 5]].tolist()

    def test_a_fixed_size_on_any_input_is_kept(self):
        inputs = [X, InputSpec("y", "float32", (3, 2))]
        fed = [b.feeds for b in ArraySource({"x": SAMPLES, "y": SAMPLES}, inputs, 2).batches()]
        assert {feeds[name].shape for feeds in fed for name in "xy"} == {(3, 2)}

    def test_samples_without_a_batch_axis_are_fed_one_by_one(self):
        fed = [batch.feeds["x"] for batch in ArraySource({"x": SAMPLES}, [InputSpec("x", "float32", (2,))]).batches()]
        assert [part.tolist() for part in fed] == SAMPLES.tolist()

    def test_samples_of_a_scalar_input_are_fed_as_scalars(self):
        given = ArraySource({"t": np.arange(3, dtype=np.float32)}, [InputSpec("t", "float32", ())])
        fed = [batch.feeds["t"] for batch in given.batches()]
        assert [(part.shape, float(part)) for part in fed] == [((), 0.0), ((), 1.0), ((), 2.0)]
        assert all(isinstance(part, np.ndarray) for part in fed)

    def test_an_input_with_a_batch_axis_keeps_it_beside_one_without(self):
        inputs = [InputSpec("size", "int64", (2,)), X]
        arrays = {"size": np.arange(14).reshape(7, 2), "x": SAMPLES}
        for ordered in (inputs, inputs[::-1]):
            fed = [batch.feeds for batch in ArraySource(arrays, ordered).batches()]
            assert [(feeds["size"].shape, feeds["x"].shape) for feeds in fed] == [((2,), (1, 2))] * 7

    def test_an_array_without_axes_is_fed_every_time(self):
        given = ArraySource({"x": SAMPLES, "t": np.array(0.5, np.float32)}, [X, InputSpec("t", "float32", ())], 3)
        assert [batch.feeds["t"].shape for batch in given.batches()] == [(), (), ()]
        assert rows(given.batches()) == SAMPLES.tolist()

    def test_labels_go_with_their_samples_and_repeated_samples_have_none(self):
        given = ArraySource({"x": SAMPLES}, [InputSpec("x", "float32", (4, 2))], labels=np.arange(7))
        assert [batch.labels.tolist() for batch in given.batches()] == [[0, 1, 2, 3], [4, 5, 6]]

    def test_arrays_are_fed_contiguous(self):
        given = ArraySource({"x": np.asfortranarray(SAMPLES)}, [X], 3)
        assert all(batch.feeds["x"].flags.c_contiguous for batch in given.batches())

    @pytest.mark.parametrize("samples", [1, 3, 7, 100])
    def test_some_are_different_samples_chosen_by_the_seed(self, samples):
        given = ArraySource({"x": SAMPLES}, [X], 2)
        chosen = rows(given.some(samples, seed=1))
        assert len(chosen) == min(samples, 7)
        assert len({tuple(row) for row in chosen}) == len(chosen)
        assert chosen == rows(given.some(samples, seed=1))
        assert {tuple(rows(given.some(1, seed))[0]) for seed in range(30)} > {tuple(SAMPLES[0])}

    def test_anything_is_fed_where_the_model_names_no_shape(self):
        assert rows(ArraySource({"x": SAMPLES}, [InputSpec("x", "", None)]).batches()) == SAMPLES.tolist()


class TestArrayRefusals:
    """Arrays that do not fit."""

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({}, r"^There is no array for the model input 'x'\. Arrays: none\. Inputs: x\.$"),
            ({"X_": SAMPLES}, r"^There is no array for the model input 'x'\. .*Arrays: X_\. Inputs: x\.$"),
            ({"x": SAMPLES, "y": SAMPLES}, r"^The array 'y' is no input of the model\. Inputs: x\.$"),
            (
                {"x": SAMPLES.astype(np.float64)},
                r"^The array 'x' holds float64, but the model input is float32\. .* use \.astype\(np\.float32\)\.$",
            ),
            ({"x": SAMPLES.astype(np.uint8)}, r"^The array 'x' holds uint8, but the model input is float32\."),
            ({"x": [[1.0, 2.0], [3.0]]}, r"^What was given for 'x' makes no array: "),
            ({"x": SAMPLES[:0]}, r"^The arrays hold no samples: 'x' \(0, 2\)\.$"),
            (
                {"x": np.zeros((7, 3), np.float32)},
                r"^The array 'x' has shape \(7, 3\), which does not fit the model input of shape \(any, 2\) with",
            ),
            ({"x": np.zeros(7, np.float32)}, r"^The array 'x' has shape \(7,\), which does not fit"),
            ({"x": np.zeros((7, 2, 2, 2), np.float32)}, r"^The array 'x' has shape \(7, 2, 2, 2\), which does not fit"),
            ({"x": np.float32(1)}, r"^The array 'x' has shape \(\), which does not fit"),
        ],
    )
    def test_one_input(self, arrays, message):
        with pytest.raises(DataError, match=message):
            source(arrays, Request([X], 4))

    def test_a_near_miss_is_named(self):
        with pytest.raises(
            DataError, match=r"^There is no array for the model input 'image'\. Did you mean 'images'\?"
        ):
            ArraySource({"images": SAMPLES}, [InputSpec("image", "float32", None)])

    def test_arrays_of_different_lengths(self):
        message = r"^All arrays need the same number of samples on their first axis\. Got \{'x': 7, 'y': 6\}\.$"
        with pytest.raises(DataError, match=message):
            ArraySource({"x": SAMPLES, "y": SAMPLES[:6]}, [X, InputSpec("y", "float32", (None, 2))])
        with pytest.raises(DataError, match=r"Got \{'x': 7, 'labels': 5\}\.$"):
            ArraySource({"x": SAMPLES}, [X], labels=np.arange(5))

    @pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "Inf"), (-np.inf, "Inf")])
    def test_values_that_are_no_numbers(self, value, kind):
        broken = SAMPLES.copy()
        broken[4, 1] = value
        with pytest.raises(DataError, match=rf"^The array 'x' holds {kind} in sample 4\. Remove that sample\.$"):
            list(ArraySource({"x": broken}, [X], 3).batches())


FEEDS = [{"x": SAMPLES[:3]}, {"x": SAMPLES[3:4]}, {"x": SAMPLES[4:]}]


class TestFeeds:
    """Feed dicts from the caller."""

    @pytest.mark.parametrize("kind", [list, tuple, iter])
    def test_every_feed_comes_once_and_in_order(self, kind):
        given = FeedSource(kind(FEEDS), [X])
        for _ in range(2):
            assert rows(given.batches()) == SAMPLES.tolist()

    @pytest.mark.parametrize("kind", [list, iter])
    @pytest.mark.parametrize("before", [1, 3, 4, 6, 100])
    def test_looking_at_some_first_loses_no_sample(self, kind, before):
        given = FeedSource(kind(FEEDS), [X])
        assert before <= len(rows(given.some(before, 0))) or before == 100
        assert rows(given.batches()) == SAMPLES.tolist()

    @pytest.mark.parametrize("kind", [list, iter])
    def test_looking_at_the_first_batch_only_loses_no_sample(self, kind):
        """As the comparison of the prepared model does."""
        given = FeedSource(kind(FEEDS), [X])
        assert rows([next(given.some(1, 0))]) == SAMPLES[:3].tolist()
        assert rows(given.batches()) == SAMPLES.tolist()
        assert rows(given.some(100, 0)) == SAMPLES.tolist()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(
        sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8),
        looks=st.lists(st.integers(1, 30), max_size=3),
        keep=st.integers(1, 9),
    )
    def test_an_iterator_loses_and_doubles_nothing_however_often_it_is_looked_at(self, sizes, looks, keep):
        samples = np.arange(2 * sum(sizes), dtype=np.float32).reshape(-1, 2)
        feeds = [{"x": part} for part in np.split(samples, np.cumsum(sizes)[:-1])]
        given = FeedSource(iter(feeds), [X], keep=keep)
        for look in looks:
            seen = rows(given.some(look, 0))
            assert len(seen) >= min(look, len(samples))
            assert seen == samples[: len(seen)].tolist()
        assert rows(given.batches()) == samples.tolist()

    def test_an_iterator_that_reuses_one_buffer_is_remembered_as_it_was(self):
        def reusing():
            buffer = np.empty((1, 2), np.float32)
            for row in SAMPLES:
                buffer[:] = row
                yield {"x": buffer}

        given = FeedSource(reusing(), [X])
        assert sum(batch.samples for batch in given.batches()) == 7
        assert rows(given.some(7, 0)) == SAMPLES.tolist()

    def test_of_an_iterator_no_more_is_remembered_than_asked(self):
        given = FeedSource(({"x": SAMPLES[:1]} for _ in range(20)), [X], keep=5)
        assert sum(batch.samples for batch in given.batches()) == 20
        assert len(given.remembered) == 5

    @pytest.mark.parametrize(("kind", "length"), [(list, 7), (iter, 0)])
    def test_the_length_is_in_samples_and_unknown_for_an_iterator(self, kind, length):
        assert len(FeedSource(kind(FEEDS), [X])) == length

    def test_a_feed_without_free_axes_is_one_sample(self):
        given = FeedSource([{"x": SAMPLES[:2]}] * 3, [InputSpec("x", "float32", (2, 2))])
        assert [batch.samples for batch in given.batches()] == [1, 1, 1]

    def test_scalars_are_fed_as_arrays(self):
        (batch,) = FeedSource([{"t": np.float32(2)}], [InputSpec("t", "float32", ())]).batches()
        assert isinstance(batch.feeds["t"], np.ndarray)
        assert batch.feeds["t"].shape == ()

    @pytest.mark.parametrize(
        ("feed", "message"),
        [
            (SAMPLES, r"^What is read as feed 1 is a ndarray, not a dict of arrays by input name\.$"),
            ({"y": SAMPLES}, r"^There is no array for the model input 'x'\."),
            ({"x": SAMPLES, "y": SAMPLES}, r"^The array 'y' is no input of the model\."),
            ({"x": [[1.0, 2.0], [3.0]]}, r"^What was given for 'x' makes no array: "),
            ({"x": SAMPLES.astype(np.float16)}, r"^The array 'x' holds float16, but the model input is float32\."),
            (
                {"x": SAMPLES[0]},
                r"^The array for 'x' has shape \(2,\); the model input has \(any, 2\)\. This is feed 1\.$",
            ),
            (
                {"x": SAMPLES[:, :1]},
                r"^The array for 'x' has shape \(7, 1\); the model input has \(any, 2\)\. This is feed 1\.$",
            ),
            ({"x": SAMPLES * np.float32(np.nan)}, r"^The array 'x' holds NaN in feed 1\. Remove that sample\.$"),
        ],
    )
    @pytest.mark.parametrize("kind", [list, iter])
    def test_a_feed_that_does_not_fit_is_refused_with_its_number(self, kind, feed, message):
        with pytest.raises(DataError, match=message):
            list(FeedSource(kind([FEEDS[0], feed]), [X]).batches())


class TestLabels:
    """Class numbers beside the inputs."""

    @pytest.mark.parametrize("name", ["labels", "anything"])
    def test_the_only_other_array_of_whole_numbers_is_taken(self, name):
        arrays, labels = split_labels({"x": SAMPLES, name: np.arange(7)}, None, [X])
        assert list(arrays) == ["x"]
        assert labels.tolist() == list(range(7))

    @pytest.mark.parametrize(
        "others",
        [{"a": np.arange(7), "b": np.arange(7)}, {"a": np.arange(7.0)}, {"a": np.zeros((7, 2), int)}, {}],
    )
    def test_nothing_is_guessed_where_it_is_not_certain(self, others):
        arrays, labels = split_labels({"x": SAMPLES, **others}, None, [X])
        assert list(arrays) == ["x", *others]
        assert labels is None

    def test_a_named_array_is_taken_from_several(self):
        arrays, labels = split_labels({"x": SAMPLES, "a": np.arange(7), "b": np.ones(7, int)}, "b", [X])
        assert list(arrays) == ["x", "a"]
        assert labels.tolist() == [1] * 7

    def test_a_name_that_is_not_there(self):
        message = r"^There is no array 'label' for the labels\. Did you mean 'labels'\? Arrays: x, labels\.$"
        with pytest.raises(DataError, match=message):
            split_labels({"x": SAMPLES, "labels": np.arange(7)}, "label", [X])

    @pytest.mark.parametrize(
        ("labels", "got"), [(np.zeros(7), r"float64 \(7,\)"), (np.zeros((7, 3), int), r"int64 \(7, 3\)")]
    )
    def test_labels_that_are_no_class_numbers(self, labels, got):
        with pytest.raises(
            DataError, match=rf"^The labels 'y' must be whole numbers of shape \(samples,\)\. Got {got}\.$"
        ):
            split_labels({"x": SAMPLES, "y": labels}, "y", [X])

    def test_they_reach_the_source(self):
        given = source({"x": SAMPLES, "y": np.arange(7)}, Request([X], 4))
        assert [batch.labels.tolist() for batch in given.batches()] == [[0, 1, 2, 3], [4, 5, 6]]
