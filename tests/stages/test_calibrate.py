"""Calibration: what is measured does not depend on how the samples come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.core.batch import Batch, InputSpec
from onnxq.core.tally import measured
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.errors import DataError
from onnxq.stages.calibrate import calibrate

SAMPLES = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
FREE = (InputSpec("x", "float32", (None, 4)),)


def run(feeds):
    """A model of two tensors, each row by itself."""
    return {"double": feeds["x"] * 2, "relu": np.maximum(feeds["x"], 0)}


def flat(statistics):
    return statistics.samples, {
        name: (t.count, t.low, t.high, t.exponent, t.histogram.tolist()) for name, t in statistics.tensors.items()
    }


def measured(source):
    return flat(calibrate(run, source.batches(), ["double", "relu"]))


ONE_SHOT = (
    23,
    {
        name: (t.count, t.low, t.high, t.exponent, t.histogram.tolist())
        for name, values in run({"x": SAMPLES}).items()
        for t in [measured(values)]
    },
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 30))
def test_any_batch_size_measures_the_same(size):
    assert measured(ArraySource({"x": SAMPLES}, FREE, batch_size=size)) == ONE_SHOT


@pytest.mark.parametrize("fixed", [1, 4, 23, 24, 50])
def test_a_fixed_batch_size_with_a_padded_last_batch_measures_the_same(fixed):
    fed = []

    def strict(feeds):
        fed.append(feeds["x"].shape)
        return run(feeds)

    source = ArraySource({"x": SAMPLES}, (InputSpec("x", "float32", (fixed, 4)),))
    assert flat(calibrate(strict, source.batches(), ["double", "relu"])) == ONE_SHOT
    assert set(fed) == {(fixed, 4)}


def test_samples_without_a_batch_axis_measure_the_same():
    assert measured(ArraySource({"x": SAMPLES}, (InputSpec("x", "float32", (4,)),))) == ONE_SHOT


@pytest.mark.parametrize("size", [1, 5, 23])
@pytest.mark.parametrize("kind", [list, tuple, iter], ids=lambda kind: kind.__name__)
def test_feeds_measure_the_same(kind, size):
    feeds = [{"x": SAMPLES[start : start + size]} for start in range(0, 23, size)]
    assert measured(FeedSource(kind(feeds), FREE)) == ONE_SHOT


def test_only_the_tensors_asked_for_are_measured_in_their_order():
    statistics = calibrate(run, ArraySource({"x": SAMPLES}, FREE).batches(), ["relu"])
    assert list(statistics.tensors) == ["relu"]


def test_a_tensor_without_a_batch_axis_is_measured_whole():
    batch = Batch({"x": SAMPLES}, samples=3, names=("all",), padded=1)
    statistics = calibrate(lambda feeds: {"t": np.ones((3, 4), np.float32), "s": np.float32(2)}, [batch], ["t", "s"])
    assert (statistics.tensors["t"].count, statistics.tensors["s"].count) == (12, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_computes_no_number_is_refused_with_tensor_and_samples(value):
    def broken(feeds):
        return {"fine": feeds["x"], "bad": np.where(feeds["x"] == SAMPLES[9, 2], np.float32(value), feeds["x"])}

    message = (
        r"^The FP32 model computes NaN or Inf in tensor 'bad' for one of the samples 8 to 15\. Leave it out, or skip"
    )
    with pytest.raises(DataError, match=message):
        calibrate(broken, ArraySource({"x": SAMPLES}, FREE, batch_size=8).batches(), ["fine", "bad"])


def test_what_only_padding_computes_is_not_looked_at():
    batch = Batch({"x": SAMPLES[:4]}, samples=3, names=("all",), padded=1)
    statistics = calibrate(lambda feeds: {"t": np.float32([1, 2, 3, np.inf])}, [batch], ["t"])
    assert (statistics.tensors["t"].count, statistics.tensors["t"].high) == (3, 3.0)


def test_no_samples_are_refused():
    with pytest.raises(DataError, match=r"^There are no calibration samples\. Give at least one"):
        calibrate(run, [], ["double"])
