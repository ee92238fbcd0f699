"""A tensor whose numbers all go on into a measured one need not be measured."""

from __future__ import annotations

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.graph import Shape
from onnxq.core.statistics import Statistics
from onnxq.core.tally import measured
from onnxq.stages.lower import to_measure
from onnxq.stages.lower.onward import onward
from onnxq.stages.lower.span import Span
from onnxq.stages.lower.spans import spans

POOLED = """
    c = Conv(x, w[16,16,3,3])
    r = Relu(c)
    m = MaxPool(r) {}
    out = Conv(m, v[16,16,3,3])
"""
HALVED = {"r": (1, 16, 8, 8), "m": (1, 16, 4, 4)}


@pytest.mark.parametrize(
    ("attributes", "shapes"),
    [
        ("kernel_shape=2,2 strides=2,2", HALVED),
        ("kernel_shape=3,3 strides=2,2 pads=1,1,1,1", HALVED),
        ("kernel_shape=3,3 strides=2,2 ceil_mode=1", HALVED),
        ("kernel_shape=3,3", {"r": (1, 16, 8, 8), "m": (1, 16, 6, 6)}),
    ],
)
def test_what_a_pool_sees_as_a_whole_is_known_from_its_maxima(attributes: str, shapes: dict[str, Shape]) -> None:
    view = sketch(POOLED.format(attributes), shapes)
    assert onward(view, "r", {"m"}) == "m"
    assert to_measure(view, {"m"}) == ("x", "out")
    assert to_measure(view) == ("x", "r", "out")


@pytest.mark.parametrize(
    ("attributes", "shapes"),
    [
        ("kernel_shape=1,1 strides=2,2", HALVED),  # every second number
        ("kernel_shape=2,2 strides=2,2", {"r": (1, 16, 9, 9), "m": (1, 16, 4, 4)}),  # all but the last row
        ("kernel_shape=2,2 strides=2,2", {"r": (1, 16, None, None), "m": (1, 16, None, None)}),
        ("kernel_shape=2,2 strides=2,2", {}),
        ("kernel_shape=2,2 dilations=2,2", {"r": (1, 16, 8, 8), "m": (1, 16, 6, 6)}),
    ],
)
def test_what_a_pool_may_skip_is_measured(attributes: str, shapes: dict[str, Shape]) -> None:
    view = sketch(POOLED.format(attributes), shapes)
    assert onward(view, "r", {"m"}) is None
    assert to_measure(view, {"m"}) == ("x", "r", "out")


def test_a_pool_hides_large_negative_numbers() -> None:
    view = sketch("m = MaxPool(c) kernel_shape=2,2 strides=2,2", {"c": (1, 16, 8, 8), "m": (1, 16, 4, 4)})
    assert onward(view, "c", {"m"}) is None


CONCATENATED = """
    a = Relu(x)
    b = Sigmoid(x)
    side = Concat(a, b) axis=1
    flat = Reshape(side, shape[2])
    out = MatMul(flat, w[16,16])
"""


def test_numbers_are_followed_through_what_moves_them() -> None:
    view = sketch(CONCATENATED)
    assert onward(view, "a", {"flat"}) == "flat"
    assert onward(view, "a", {"side", "flat"}) == "side"
    assert onward(view, "a", {"out"}) is None


def test_a_second_reader_or_an_output_may_use_them_otherwise() -> None:
    assert onward(sketch(CONCATENATED + "other = Exp(a)"), "a", {"flat"}) is None
    assert onward(sketch(CONCATENATED, outputs=("side",)), "a", {"flat"}) is None


def test_the_span_is_that_of_where_they_arrive() -> None:
    statistics = Statistics("", {"flat": measured(np.array([0.0, 7.0], np.float32))})
    found = spans(sketch(CONCATENATED), statistics)
    assert found["a"] == found["side"] == Span(0.0, 7.0)
    assert found["b"] == Span(0.0, 1.0)
