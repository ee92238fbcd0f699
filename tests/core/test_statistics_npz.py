"""Statistics in files: the same bytes for the same statistics, and one sentence for anything else."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest

from onnxq.core.statistics import Statistics
from onnxq.core.statistics_npz import VERSION, npz_from_statistics, statistics_from_npz
from onnxq.core.tally import Tally
from onnxq.errors import DataError


def tallied(seed, axis=None, shape=(5, 3)):
    tally = Tally(axis)
    tally.add(np.random.default_rng(seed).normal(size=shape).astype(np.float32), 5)
    return tally.measured()


TENSORS = {"a": tallied(0, axis=1), "β/λ:0": tallied(1), "c": tallied(2, axis=0), "none": Tally(axis=1).measured()}
STATISTICS = Statistics("some model", TENSORS)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_round_trip_changes_nothing(compressed):
    content = npz_from_statistics(STATISTICS, compressed)
    found = statistics_from_npz(content, "s.npz")
    assert (found.model, list(found.tensors)) == ("some model", sorted(TENSORS))
    for name, expected in TENSORS.items():
        for field in ("samples", "count", "low", "high", "exponent"):
            assert getattr(found.tensors[name], field) == getattr(expected, field)
        np.testing.assert_array_equal(found.tensors[name].histogram, expected.histogram)
        np.testing.assert_array_equal(found.tensors[name].channels, expected.channels)
    assert npz_from_statistics(found, compressed) == content


def test_the_order_of_the_tensors_makes_no_difference():
    turned = Statistics("some model", dict(reversed(TENSORS.items())))
    assert npz_from_statistics(turned) == npz_from_statistics(STATISTICS)


def test_no_tensors_at_all():
    assert statistics_from_npz(npz_from_statistics(Statistics("m", {})), "s.npz").tensors == {}


CONTENT = npz_from_statistics(STATISTICS)


@pytest.mark.parametrize("length", range(0, len(CONTENT), len(CONTENT) // 40))
def test_a_file_that_was_cut_off(length):
    with pytest.raises(DataError, match=r"^'s\.npz' holds no statistics, or was damaged: .*`onnxq calibrate` makes"):
        statistics_from_npz(CONTENT[:length], "s.npz")


@pytest.mark.parametrize("place", range(100, len(CONTENT) - 1000, len(CONTENT) // 40))
def test_damaged_bytes_are_found_or_change_nothing(place):
    content = bytearray(CONTENT)
    content[place] ^= 0xFF
    found = None
    with suppress(DataError):
        found = statistics_from_npz(bytes(content), "s.npz")
    assert found is None or npz_from_statistics(found) == CONTENT  # a byte of a header that nobody reads


def changed(**arrays):
    with np.load(io.BytesIO(CONTENT)) as archive:
        stored = {**dict(archive), **arrays}
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in stored.items() if array is not None})
    return file.getvalue()


def test_another_version():
    message = rf"^'s\.npz' holds statistics of version {VERSION + 1}; this onnxq reads {VERSION}\. Make them anew\.$"
    with pytest.raises(DataError, match=message):
        statistics_from_npz(changed(onnxq_statistics=np.int64(VERSION + 1)), "s.npz")


@pytest.mark.parametrize(
    "arrays",
    [
        {"histogram": np.zeros((4, 100), np.int64)},
        {"histogram": None},
        {"low": np.zeros(1)},
        {"model": None},
        {"tensor": np.array([{}], object)},
    ],
    ids=["short histograms", "no histograms", "a short column", "no model", "pickled names"],
)
def test_arrays_that_do_not_belong_together(arrays):
    with pytest.raises(DataError, match=r"^'s\.npz' holds no statistics, or was damaged: "):
        statistics_from_npz(changed(**arrays), "s.npz")
