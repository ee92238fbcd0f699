"""Known scales."""

from __future__ import annotations

import numpy as np

from onnxq.core.known_scales import NOTHING_KNOWN, KnownScales


def test_the_largest_is_that_of_those_which_are_known():
    known = KnownScales("table", {"a": np.float32(1), "b": np.float32(3), "c": np.float32(2)})
    assert known.largest(["a", "c", "x"]) == np.float32(2)
    assert known.largest(["x"]) is None
    assert known.largest([]) is None


def test_nothing_is_known_of_any_tensor():
    assert NOTHING_KNOWN.largest(["a"]) is None
