"""Calibration: what is measured does not depend on how the samples come in, nor on who counts them."""

from __future__ import annotations

import random
import re
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.core.batch import Batch, InputSpec
from onnxq.core.journal import Journal
from onnxq.core.observer import Silent
from onnxq.core.statistics import Statistics
from onnxq.core.statistics_npz import npz_from_statistics
from onnxq.core.tally import measured
from onnxq.core.tap import Tap
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.errors import DataError
from onnxq.stages.calibrate import Limits, calibrate

SAMPLES = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
FREE = (InputSpec("x", "float32", (None, 4)),)
TAPS = (Tap("double", axis=1, bytes=100), Tap("relu", bytes=100), Tap("fourth", axis=-1, bytes=100))


def run(feeds):
    """A model of three tensors, each row by itself."""
    return {"double": feeds["x"] * 2, "relu": np.maximum(feeds["x"], 0), "fourth": feeds["x"] ** 4}


def loader(model):
    """The runtime that the stage is handed."""
    return lambda names, _: lambda feeds: {name: model(feeds)[name] for name in names}


def measure(source, model=run, taps=TAPS, **chosen):
    given = {"limits": Limits(10**6, 2), "journal": Journal(), "observer": Silent(), **chosen}
    return calibrate(loader(model), source, taps, **given)


def content(tensors):
    return npz_from_statistics(Statistics("m", tensors))


def source(samples=SAMPLES, size=8):
    return ArraySource({"x": samples}, FREE, batch_size=size)


ONE_SHOT = content(measure(source(size=23), limits=Limits(10**6, 1)))
any_way = settings(max_examples=40, deadline=None, derandomize=True)


def test_what_is_measured_is_that_of_all_values():
    found = measure(source())
    for name, values in run({"x": SAMPLES}).items():
        expected = measured(values)
        assert (found[name].samples, found[name].count) == (23, 92)
        assert (found[name].low, found[name].high) == (values.min(), values.max())
        np.testing.assert_array_equal(found[name].histogram, expected.histogram)


def test_channels_have_extremes_of_their_own():
    found = measure(source())
    for name in ("double", "fourth"):
        values = run({"x": SAMPLES})[name]
        np.testing.assert_array_equal(found[name].channels, [values.min(axis=0), values.max(axis=0)])
    assert found["relu"].channels.shape == (2, 0)


@any_way
@given(st.integers(1, 30), st.integers(1, 4), st.sampled_from([1, 100, 200, 250, 10**6]))
def test_no_batch_size_number_of_workers_or_memory_makes_a_difference(size, cores, memory):
    assert content(measure(source(size=size), limits=Limits(memory, cores))) == ONE_SHOT


@any_way
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_no_order_of_the_samples_and_no_split_into_runs_makes_a_difference(order, runs):
    shuffled = SAMPLES[order.sample(range(23), 23)]
    parts = [Statistics("m", measure(source(part))) for part in np.array_split(shuffled, runs)]
    assert npz_from_statistics(reduce(Statistics.merge, parts)) == ONE_SHOT


@pytest.mark.parametrize("fixed", [1, 4, 23, 24, 50])
def test_a_fixed_batch_size_with_a_padded_last_batch_measures_the_same(fixed):
    fed = set()

    def strict(feeds):
        fed.add(feeds["x"].shape)
        return run(feeds)

    padded = ArraySource({"x": SAMPLES}, (InputSpec("x", "float32", (fixed, 4)),))
    assert content(measure(padded, strict)) == ONE_SHOT
    assert fed == {(fixed, 4)}


@pytest.mark.parametrize("size", [1, 5, 23])
@pytest.mark.parametrize("kind", [list, tuple, iter], ids=lambda kind: kind.__name__)
def test_feeds_measure_the_same(kind, size):
    feeds = [{"x": SAMPLES[start : start + size]} for start in range(0, 23, size)]
    assert content(measure(FeedSource(kind(feeds), FREE))) == ONE_SHOT


def test_zero_has_one_sign():
    """Which of 0.0 and -0.0 a reduction returns depends on their order."""
    zeros = np.float32([[0.0, -0.0, 1, 1], [-0.0, 0.0, 1, 1]])
    found = {content(measure(source(part))) for part in (zeros, zeros[::-1], -zeros * np.float32(-1))}
    assert len(found) == 1


def test_a_tensor_without_a_batch_axis_is_measured_whole():
    batch = Batch({"x": SAMPLES}, samples=3, names=("all",), padded=1)
    values = {"t": np.ones((3, 4), np.float32), "s": np.float32(2), "none": np.zeros((0, 4), np.float32)}
    found = measure(Fixed([batch]), lambda _: values, [Tap("t"), Tap("s"), Tap("none", axis=1)])
    assert [found[name].count for name in ("t", "s", "none")] == [12, 1, 0]


class Fixed(list):
    """Batches as a source."""

    def batches(self, start=0):
        return iter(self[start:])


class TestRefusals:
    @pytest.mark.parametrize("cores", [1, 2])
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_model_that_computes_no_number_is_refused_with_tensor_and_sample(self, value, cores):
        def broken(feeds):
            return {"fine": feeds["x"], "bad": np.where(feeds["x"] == SAMPLES[9, 2], np.float32(value), feeds["x"])}

        message = r"^The FP32 model computes NaN or Inf in tensor 'bad' for sample 9\. Leave that sample out, or skip"
        with pytest.raises(DataError, match=message):
            measure(source(), broken, [Tap("fine"), Tap("bad", axis=1)], limits=Limits(10**6, cores))

    def test_what_only_padding_computes_is_not_looked_at(self):
        batch = Batch({"x": SAMPLES[:4]}, samples=3, names=("all",), padded=1)
        found = measure(Fixed([batch]), lambda _: {"t": np.float32([1, 2, 3, np.inf])}, [Tap("t")])
        assert (found["t"].count, found["t"].high) == (3, 3.0)

    def test_no_samples(self):
        with pytest.raises(DataError, match=r"^There are no calibration samples\. Give at least one"):
            measure(Fixed())


class Listening(Silent):
    """Remembers what it is told."""

    def __init__(self):
        self.notes, self.details, self.steps = [], [], []

    def note(self, text):
        self.notes.append(text)

    def detail(self, text):
        self.details.append(text)

    def advance(self, done, total):
        self.steps.append((done, total))


class TestMemory:
    def test_what_does_not_fit_is_measured_in_several_passes_and_a_line_says_so(self):
        loaded, told = [], Listening()

        def load(names, threads):
            loaded.append((list(names), threads))
            return loader(run)(names, threads)

        calibrate(load, source(), TAPS, Limits(200, 4), Journal(), told)
        assert loaded == [(["double", "relu"], 4), (["fourth"], 2)]
        (line,) = told.notes
        assert re.fullmatch(r"The tensors to measure take .* MB for a batch, more than .* there are 2 passes .*", line)

    def test_a_tensor_that_is_too_large_alone_is_measured_alone_and_a_line_says_so(self):
        told = Listening()
        assert content(measure(source(), limits=Limits(50, 2), observer=told)) == ONE_SHOT
        assert told.notes[0].startswith("One tensor alone takes 0.0001 MB for a batch, more than the 5e-05 MB of")

    def test_nothing_is_said_where_all_fits(self):
        told = Listening()
        measure(source(), observer=told)
        assert told.notes == []


class TestProgress:
    @pytest.mark.parametrize("memory", [200, 10**6])
    def test_it_rises_to_the_total_over_all_passes(self, memory):
        told = Listening()
        measure(source(size=5), limits=Limits(memory, 2), observer=told)
        done = [step for step, _ in told.steps]
        total = 23 * (2 if memory == 200 else 1)
        assert done == sorted(done)
        assert (done[-1], {total for _, total in told.steps}) == (total, {total})

    def test_the_slowest_tensors_are_named(self):
        told = Listening()
        measure(source(), observer=told)
        assert re.fullmatch(r"Slowest to count: ('\w+' \d\.\d\d s(, )?){3}\.", told.details[0])


class Stop(Exception):
    """Instead of a power cut."""


class Diary:
    """Keeps each entry as bytes, and stops a run when it has made `entries` of them."""

    def __init__(self, entries):
        self.entries, self.kept = entries, {}

    def journal(self, begun=None):
        journal = Journal(begun, self.keep)
        journal.__class__ = Eager
        return journal

    def keep(self, tensors):
        self.kept = dict(tensors)
        self.entries -= 1
        if self.entries == 0:
            raise Stop


class Eager(Journal):
    """Always due."""

    is_due = property(lambda _: True)


class TestResumption:
    @any_way
    @given(st.integers(1, 30), st.sampled_from([100, 200, 10**6]), st.integers(1, 9), st.integers(1, 9))
    def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(self, entries, memory, size, later):
        diary = Diary(entries)
        try:
            found = measure(source(size=size), limits=Limits(memory, 2), journal=diary.journal())
        except Stop:
            found = measure(source(size=later), limits=Limits(memory * 2, 1), journal=Journal(diary.kept))
        assert content(found) == ONE_SHOT

    def test_samples_that_were_counted_are_not_run_again(self):
        diary, fed = Diary(2), []
        with pytest.raises(Stop):
            measure(source(size=5), journal=diary.journal(), limits=Limits(10**6, 1))

        def counting(feeds):
            fed.append(len(feeds["x"]))
            return run(feeds)

        measure(source(size=5), counting, TAPS[:1], journal=Journal({"double": diary.kept["double"]}))
        assert sum(fed) + diary.kept["double"].samples == 23

    def test_many_interruptions_in_a_row(self):
        order, kept = random.Random(0), {}
        for _ in range(100):
            diary = Diary(1)
            try:
                found = measure(source(size=order.randint(1, 4)), limits=Limits(200, 2), journal=diary.journal(kept))
                break
            except Stop:
                kept = diary.kept
        assert content(found) == ONE_SHOT

    def test_fewer_samples_than_were_counted_are_refused(self):
        begun = measure(source())
        with pytest.raises(DataError, match=r"^What is resumed was counted on 23 samples, but there are only 22\."):
            measure(source(SAMPLES[:22]), journal=Journal(begun))
