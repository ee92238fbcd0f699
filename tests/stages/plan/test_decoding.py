"""What decodes boxes and scores stays in float (onnxruntime#14233, #10787)."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.catalog.targets import ONNXRUNTIME, TENSORRT
from onnxq.core.graph import GraphView
from onnxq.stages.plan import plan
from onnxq.stages.plan.decoding import DECODES, decoding_nodes


def decoding(text: str) -> set[str]:
    return set(decoding_nodes(sketch(text), TENSORRT))


YOLO = """
    c = Conv(x, w[16,16,1,1])
    s = Sigmoid(c)
    xy, wh, conf = Split(s)
    a = Mul(xy, two[])
    b = Add(a, grid[16])
    e = Pow(wh, square[])
    f = Mul(e, anchors[16])
    y = Concat(b, f, conf)
    out = Reshape(y, shape[3])
"""


def test_boxes_and_scores_side_by_side() -> None:
    assert decoding(YOLO) == {"s", "xy", "a", "b", "e", "f", "y", "out"}


def test_scores_of_several_branches_beside_boxes_as_the_convolution_gives_them() -> None:
    assert decoding("""
        b = Conv(x, w0[16,16,1,1])
        c = Conv(x, w1[16,16,1,1])
        s = Softmax(c)
        y = Concat(b, s)
    """) == {"s", "y"}


def test_corners_computed_from_centres_and_sizes() -> None:
    assert decoding("""
        c = Conv(x, w[16,16,1,1])
        xy, wh = Split(c)
        h = Div(wh, two[])
        l = Sub(xy, h)
        r = Add(xy, h)
        y = Concat(l, r)
    """) == {"xy", "h", "l", "r", "y"}


def test_the_expected_distance_of_a_distribution_counts_as_decoding() -> None:
    """Li et al. 2020, generalized focal loss: a convolution with the numbers 0 to 15 as its weights."""
    assert decoding("""
        c = Conv(x, w0[64,16,1,1])
        k = Conv(x, w1[16,16,1,1])
        t = Transpose(c)
        p = Softmax(t)
        d = Conv(p, range[1,16,1,1])
        s = Sigmoid(k)
        y = Concat(d, s)
    """) == {"t", "p", "d", "s", "y"}


def test_what_leads_to_non_maximum_suppression() -> None:
    assert decoding("""
        b = Conv(x, w0[16,16,1,1])
        c = Conv(x, w1[16,16,1,1])
        s = Sigmoid(c)
        y = NonMaxSuppression(b, s)
    """) == {"s", "y"}


@pytest.mark.parametrize(
    "text",
    [
        "a = Conv(x, w0[16,16,1,1])\n s = Sigmoid(a)\n y = Concat(a, s)\n z = Conv(y, w1[16,32,1,1])",
        "a = Conv(x, w0[16,16,1,1])\n b = Conv(x, w1[16,16,1,1])\n y = Concat(a, b)",
        "a = Conv(x, w0[16,16,1,1])\n p = AveragePool(a)\n q = MaxPool(a)\n y = Concat(p, q)",
        "a = Conv(x, w0[16,16,1,1])\n y = Softmax(a)",
        "a = Conv(x, w0[16,16,1,1])\n s = Sigmoid(a)\n y = Concat(s, token[1,16])",
    ],
    ids=["a convolution follows", "heads of one kind", "pools", "a classifier", "one tensor and a constant"],
)
def test_other_tails_decode_nothing(text: str) -> None:
    assert decoding(text) == set()


def float_reasons(view: GraphView, target: object) -> dict[str, str]:
    made = plan(view, target)
    return {d.site.node: d.reason for d in made.refused}


def test_the_plan_says_so() -> None:
    view = sketch(YOLO)
    reasons = float_reasons(view, TENSORRT)
    assert {name for name, reason in reasons.items() if reason == DECODES} == decoding(YOLO)


def test_where_kernels_write_integers_no_scale_spans_boxes_and_scores() -> None:
    view = sketch("""
        b = Conv(x, w0[16,16,1,1])
        c = Conv(x, w1[16,16,1,1])
        s = Softmax(c)
        y = Concat(b, s)
        z = Transpose(y)
    """)
    made = plan(view, ONNXRUNTIME)
    assert set(made.activations) == {"x", "b", "c"}  # what convolutions read and write, each with its own scale
    assert made.ties == ()
