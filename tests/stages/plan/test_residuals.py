"""Which operand of a residual join is the shortcut (TensorRT guide; ModelOpt build_non_residual_input_map)."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView
from onnxq.stages.plan.residuals import residual_joins


def shortcut(view: GraphView, join: str = "y") -> str | None:
    """The tensor that gets Q/DQ in front of `join`."""
    found = residual_joins(view, TENSORRT).get(join)
    return view.by_name[join].inputs[found[0]] if found else None


def test_identity_shortcut() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        r = Relu(a)
        b = Conv(r, w1[16,16,3,3])
        c = Relu(b)
        d = Conv(c, w2[16,16,3,3])
        y = Add(d, r)
    """)
    assert shortcut(view) == "r"


def test_operand_order_does_not_matter() -> None:
    view = sketch("""
        r = Relu(x)
        b = Conv(r, w1[16,16,3,3])
        y = Add(r, b)
    """)
    assert shortcut(view) == "r"


def test_projection_is_the_shorter_way_to_the_fork() -> None:
    view = sketch("""
        r = Relu(x)
        p = Conv(r, w0[16,16,1,1])
        b = Conv(r, w1[16,16,3,3])
        c = Relu(b)
        d = Conv(c, w2[16,16,3,3])
        y = Add(p, d)
    """)
    assert shortcut(view) == "p"


def test_two_ways_of_one_length_keep_the_second_operand_in_the_kernel() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        b = Conv(r, w1[16,16,1,1])
        y = Add(a, b)
    """)
    assert shortcut(view) == "a"


def test_the_other_operand_may_be_the_graph_input() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        y = Add(a, x)
    """)
    assert shortcut(view) == "x"


def test_a_second_graph_input_is_a_shortcut_too() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,3,3])
        y = Add(z, a)
    """)
    assert shortcut(view) == "z"


def test_a_chain_of_joins_feeds_each_with_the_sum_before() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        s = Add(a, r)
        b = Conv(s, w1[16,16,3,3])
        t = Add(b, s)
        c = Conv(t, w2[16,16,3,3])
        u = Add(t, c)
    """)
    assert [shortcut(view, join) for join in ("s", "t", "u")] == ["r", "s", "t"]


def test_a_sum_of_three_convolutions_is_two_joins() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        b = Conv(r, w1[16,16,1,1])
        s = Add(a, b)
        c = Conv(r, w2[16,16,3,3])
        y = Add(s, c)
    """)
    assert shortcut(view, "s") == "a"
    assert shortcut(view, "y") == "s"


@pytest.mark.parametrize("activation", ["Relu", "Clip"])
def test_an_activation_may_follow_the_convolution(activation: str) -> None:
    view = sketch(f"""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        b = {activation}(a)
        y = Add(b, r)
    """)
    assert shortcut(view) == "r"


def test_silu_may_follow_the_convolution() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        g = Sigmoid(a)
        b = Mul(a, g)
        y = Add(r, b)
    """)
    assert shortcut(view) == "r"


def test_a_gate_is_no_silu() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        g = Sigmoid(r)
        b = Mul(a, g)
        y = Add(r, b)
    """)
    assert shortcut(view) is None


def test_bias_scale_and_copies_are_looked_through() -> None:
    view = sketch("""
        r = Relu(x)
        a = Conv(r, w0[16,16,3,3])
        b = Add(a, bias[16,1,1])
        c = Mul(b, gamma[16,1,1])
        d = Transpose(c)
        y = Add(d, r)
    """)
    assert shortcut(view) == "r"


def test_a_branch_that_starts_in_the_kernel_is_no_residual() -> None:
    """ConvNeXt: the sum needs the convolution's own result, which must then be stored first."""
    view = sketch("""
        a = Conv(x, w0[16,16,7,7])
        n = LayerNormalization(a, scale[16])
        m = Gelu(n)
        y = Add(a, m)
    """)
    assert shortcut(view) is None


def test_nor_if_it_starts_behind_the_activation_in_the_kernel() -> None:
    view = sketch("""
        a = Conv(x, w0[16,16,7,7])
        r = Relu(a)
        n = LayerNormalization(r, scale[16])
        y = Add(r, n)
    """)
    assert shortcut(view) is None


@pytest.mark.parametrize(
    "text",
    [
        "a = Relu(x)\n b = Sigmoid(x)\n y = Add(a, b)",
        "a = Conv(x, w0[16,16,3,3])\n y = Add(a, bias[16,1,1])",
        "a = Conv(x, w0[16,16,3,3])\n y = Add(a, a)",
        "a = Conv(x, w0[16,16,3,3])\n b = Relu(a)\n c = Clip(a)\n y = Add(b, c)",
        "a = Conv(x, w0[16,16,3,3])\n y = custom.Add(a, x)",
        "a = Conv(x, w0[16,16,3,3])\n y = Sub(a, x)",
    ],
    ids=["no convolution", "bias", "itself", "one kernel twice", "custom domain", "not an Add"],
)
def test_what_is_no_residual(text: str) -> None:
    assert shortcut(sketch(text)) is None


def test_a_sum_that_broadcasts_is_no_residual() -> None:
    text = "a = Conv(x, w0[16,16,3,3])\n y = Add(a, z)"
    assert shortcut(sketch(text, {"a": (None, 16, 8, 8), "z": (None, 16, 1, 1)})) is None
    assert shortcut(sketch(text, {"a": (None, 16, 8, 8), "z": (4, 16, 8, 8)})) == "z"
