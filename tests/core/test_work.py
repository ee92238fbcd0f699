"""Multiply-accumulates and traffic, against what is counted by hand."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.core.work import macs_of, traffic_of

SIZES = {"x": (1, 8, 10, 10), "m": (1, 6, 8)}


@pytest.mark.parametrize(
    ("line", "made", "macs"),
    [
        ("y = Conv(x, w[4,8,3,3])", (1, 4, 8, 8), 4 * 8 * 8 * 8 * 3 * 3),
        ("y = Conv(x, w[8,1,3,3]) group=8", (1, 8, 8, 8), 8 * 8 * 8 * 3 * 3),  # depthwise
        ("y = Conv(x, w[4,8,3,3]) stride=2", (1, 4, 4, 4), 4 * 4 * 4 * 8 * 3 * 3),
        ("y = ConvTranspose(x, w[8,4,2,2])", (1, 4, 20, 20), 8 * 10 * 10 * 4 * 2 * 2),
        ("y = ConvTranspose(x, w[8,1,2,2]) group=8", (1, 8, 20, 20), 8 * 10 * 10 * 2 * 2),
        ("y = MatMul(m, w[8,5])", (1, 6, 5), 6 * 5 * 8),
        ("y = MatMul(m, m)", (1, 6, 8), 6 * 8 * 8),
        ("y = Gemm(a[3,8], w[8,5])", (3, 5), 3 * 5 * 8),
        ("y = Gemm(a[8,3], w[8,5]) transA=1", (3, 5), 3 * 5 * 8),
        ("y = Gemm(a[3,8], w[5,8]) transB=1", (3, 5), 3 * 5 * 8),
        ("y = Relu(x)", (1, 8, 10, 10), 0),
        ("y = other.Conv(x, w[4,8,3,3])", (1, 4, 8, 8), 0),
        ("y = Conv(unknown, w[4,8,3,3])", (1, 4, 8, 8), 0),
    ],
)
def test_multiply_accumulates(line, made, macs):
    view = sketch(line)
    assert macs_of(view, view.nodes[0], SIZES | {"y": made}) == macs


def test_a_kernel_reads_and_writes_what_does_not_stay_inside():
    view = sketch("""
        c = Conv(x, w[8,8,1,1])
        r = Relu(c)
        s = Relu(r)
    """)
    sizes = SIZES | {"c": (1, 8, 10, 10), "r": (1, 8, 10, 10)}
    assert traffic_of(view, view.nodes[:2], sizes) == 4 * (800 + 64 + 800)


def test_an_inner_tensor_that_somebody_else_reads_is_written():
    view = sketch("""
        c = Conv(x, w[8,8,1,1])
        r = Relu(c)
        s = Relu(c)
    """)
    sizes = SIZES | {"c": (1, 8, 10, 10), "r": (1, 8, 10, 10)}
    assert traffic_of(view, view.nodes[:2], sizes) == 4 * (800 + 64 + 800 + 800)
