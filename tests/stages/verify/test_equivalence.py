"""Equivalence: preparation may change an output by rounding, and by nothing more."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.errors import PrepareError
from onnxq.stages.verify import equivalence
from onnxq.stages.verify.compare import TOLERANCE


def compare(before, after):
    """The difference of two models with the outputs `before` and `after`, arrays or lists of numbers."""
    as_outputs = [{f"y{i}": value for i, value in enumerate(side)} for side in (before, after)]
    return equivalence(*as_outputs)


def floats(*values, dtype=np.float32):
    return np.array(values, dtype)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (floats(1, 2), floats(1, 2), 0.0),
        (floats(1e4, 0), floats(1e4, 0.5), 0.5e-4),  # relative to the largest value of the output
        (floats(1e-10), floats(1e-10), 0.0),
        (floats(0, 0), floats(0, 0), 0.0),
        (floats(0, 0), floats(0, 2.0**-20), 2.0**-20),  # absolute where there is no largest value
        (floats(), floats(), 0.0),
        (floats(np.nan, 2), floats(np.nan, 2), 0.0),
        (floats(np.inf, -np.inf, 2), floats(np.inf, -np.inf, 2), 0.0),
        (np.int64([1, 2]), np.int64([1, 2]), 0.0),
        (np.array(["a"]), np.array(["a"]), 0.0),
        ([1], [2], 0.0),  # a sequence
    ],
)
def test_the_largest_relative_difference_is_returned(before, after, difference):
    assert compare([before], [after]) == difference


def test_the_worst_output_counts():
    assert compare([floats(4), floats(2)], [floats(4), floats(2 + 2.0**-14)]) == 2.0**-15


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (floats(1.0), floats(1 + 1.1 * TOLERANCE)),
        (floats(1e4, 0), floats(1e4, 1.1)),
        (floats(0), floats(1.1 * TOLERANCE)),
        (floats(1, 2), floats(1, np.nan)),
        (floats(1, np.nan), floats(1, 2)),
        (floats(np.nan, 1), floats(1, np.nan)),
        (floats(1, np.inf), floats(1, 2)),
        (floats(1, np.inf), floats(1, -np.inf)),
        (floats(1, np.inf), floats(1, np.nan)),
        (floats(1, 2), floats(1, np.inf)),
        (floats(1, 2), floats(1, 2, dtype=np.float64)),
        (floats(1, 2), floats(1)),
        (floats(1), np.float32([[1]])),
        (np.int64([1, 2]), np.int64([1, 3])),
        (np.int64([1]), np.int32([1])),
        (np.array([True]), np.array([False])),
        (np.array(["a"]), np.array(["b"])),
        ([1], {1: 2}),
        (floats(1), [1]),
    ],
)
def test_anything_else_is_a_bug(before, after):
    with pytest.raises(PrepareError, match=r"^Preparing the model changed the output 'y1' by .*This is a bug in onnxq"):
        compare([floats(1), before], [floats(1), after])


def test_half_a_tolerance_passes_and_the_message_has_both_figures():
    assert compare([floats(1)], [floats(1 + TOLERANCE / 2)]) == pytest.approx(TOLERANCE / 2, rel=1e-2)
    with pytest.raises(PrepareError, match=r"by 5\.0e-01 of its largest value; at most 1e-04 is allowed\."):
        compare([floats(2)], [floats(1)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_output_may_always_differ_by_one_rounding_of_its_type(dtype):
    one = floats(1, dtype=dtype)
    assert compare([one], [np.nextafter(one, dtype(2))]) == float(np.finfo(dtype).eps)
