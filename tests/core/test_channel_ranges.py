"""Ranges of weights along the axis of their scales."""

from __future__ import annotations

import numpy as np

from onnxq.core.channel_ranges import ChannelRanges
from onnxq.core.graph import Site
from onnxq.core.spec import PerAxis, PerTensor, Spec

WEIGHT = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -60.0]], np.float32)


def ranges(granularity):
    return ChannelRanges.of(Site("w", "n", 1), Spec("int8", granularity, "weight"), WEIGHT)


def test_there_is_one_for_each_scale():
    assert ranges(PerAxis(0)).lows.tolist() == [-2.0, -60.0]
    assert ranges(PerAxis(1)).highs.tolist() == [4.0, 5.0, 3.0]


def test_a_weight_with_one_scale_is_looked_at_along_its_first_axis():
    assert ranges(PerTensor()).highs.tolist() == [3.0, 5.0]


def test_the_spread_is_that_of_the_widest_channel_over_the_median():
    assert ranges(PerAxis(1)).spread == 12.0


def test_a_weight_of_zeros_has_no_spread():
    zeros = ChannelRanges.of(Site("w", "n", 1), Spec("int8", PerAxis(0), "weight"), np.zeros((2, 2), np.float32))
    assert zeros.spread == 0.0
