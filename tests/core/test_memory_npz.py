"""Results in files come back as they were, and anything else is one sentence."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest

from onnxq.core.memory_npz import VERSION, npz_from_results, results_from_npz
from onnxq.errors import DataError

RESULTS = {
    "0123": {"codes /a/Conv": np.arange(-3, 3, dtype=np.int8).reshape(1, 2, 3), "shift β": np.ones(2, np.float64)},
    "nothing": {},
    "last": {"scale x:0.npy": np.array(0.5, np.float32)},
}
CONTENT = npz_from_results("a model", RESULTS)
REFUSED = r"^'o\.partial' cannot be resumed: it holds nothing that fixes found, or was damaged\. Leave out --resume to"


def test_a_round_trip_changes_nothing():
    origin, found = results_from_npz(CONTENT, "o.partial")
    assert (origin, list(found)) == ("a model", list(RESULTS))
    for task, parts in RESULTS.items():
        assert list(found[task]) == list(parts)
        for name, array in parts.items():
            assert (found[task][name].dtype, found[task][name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(found[task][name], array)


def test_no_results_at_all():
    assert results_from_npz(npz_from_results("m", {}), "o.partial") == ("m", {})


@pytest.mark.parametrize("length", range(0, len(CONTENT), len(CONTENT) // 40))
def test_a_file_that_was_cut_off(length):
    with pytest.raises(DataError, match=REFUSED):
        results_from_npz(CONTENT[:length], "o.partial")


@pytest.mark.parametrize("place", range(0, len(CONTENT), len(CONTENT) // 60))
def test_damaged_bytes_are_found_or_change_nothing(place):
    content = bytearray(CONTENT)
    content[place] ^= 0xFF
    found = None
    with suppress(DataError):
        found = results_from_npz(bytes(content), "o.partial")
    assert found is None or npz_from_results(*found) == CONTENT  # a byte of a header that nobody reads


def changed(**arrays):
    with np.load(io.BytesIO(CONTENT)) as archive:
        stored = {**dict(archive), **arrays}
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in stored.items() if array is not None})
    return file.getvalue()


@pytest.mark.parametrize(
    "arrays",
    [
        {"onnxq_memory": np.int64(VERSION + 1)},
        {"onnxq_memory": None},
        {"origin": None},
        {"1": None},
        {"part": np.array(["one"])},
        {"parts": np.array([2, 0])},
        {"parts": np.array([2, 0, 5])},
        {"task": np.array([{}], object)},
    ],
    ids=str,
)
def test_an_archive_of_something_else(arrays):
    with pytest.raises(DataError, match=REFUSED):
        results_from_npz(changed(**arrays), "o.partial")


def test_an_array():
    file = io.BytesIO()
    np.save(file, np.ones(3))
    with pytest.raises(DataError, match=REFUSED):
        results_from_npz(file.getvalue(), "o.partial")
