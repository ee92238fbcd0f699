"""Which tensors share a scale: those that one Concat puts side by side for an INT8 reader."""

from __future__ import annotations

from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView
from onnxq.stages.plan import plan


def ties(view: GraphView) -> tuple[tuple[str, ...], ...]:
    return plan(view, TENSORRT).ties


def test_the_inputs_and_the_output_of_a_concat_share_one_scale() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        b = Conv(a, w1[16,16,3,3])
        c = Concat(a, b)
        d = Conv(c, w2[16,32,3,3])
    """)
    assert ties(view) == (("a", "c"),)


def test_copies_on_the_way_are_looked_through() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        b = Conv(a, w1[16,16,3,3])
        t = Transpose(a)
        c = Concat(t, b)
        s = Reshape(c, shape[4])
        d = Conv(s, w2[16,32,3,3])
    """)
    assert ties(view) == (("a", "s"),)


def test_a_concat_that_nobody_reads_as_int8_ties_nothing() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        b = Conv(a, w1[16,16,3,3])
        c = Concat(a, b)
        d = Softmax(c)
    """)
    assert ties(view) == ()


def test_parts_of_one_tensor_keep_scales_of_their_own() -> None:
    """Queries, keys and values come out of one product, but their ranges differ widely."""
    view = sketch("""
        a = Conv(x, w0[32,16,3,3])
        p, q = Split(a)
        b = Conv(p, w1[16,16,3,3])
        c = Conv(q, w2[16,16,3,3])
    """)
    assert ties(view) == ()


def test_two_concats_in_a_row_share_one_scale() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        b = Conv(a, w1[16,16,3,3])
        c = Concat(a, b)
        d = Conv(c, w2[16,32,3,3])
        e = Concat(c, d)
        f = Conv(e, w3[16,48,3,3])
    """)
    assert ties(view) == (("a", "c", "e"),)
