"""Which nodes one kernel computes (ModelOpt, partitioning.py)."""

from __future__ import annotations

from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView
from onnxq.stages.plan.kernels import kernel_heads
from onnxq.stages.plan.residuals import residual_joins


def heads(view: GraphView) -> dict[str, str]:
    return kernel_heads(view, TENSORRT, residual_joins(view, TENSORRT))


def test_pointwise_operators_belong_to_the_kernel_before() -> None:
    view = sketch("""
        c = Conv(x, w[16,16,3,3])
        b = Add(c, bias[16,1,1])
        r = LeakyRelu(b)
        t = Transpose(r)
    """)
    assert heads(view) == dict.fromkeys("cbrt", "c")


def test_silu_is_computed_in_one_kernel() -> None:
    view = sketch("""
        c = Conv(x, w[16,16,3,3])
        g = Sigmoid(c)
        m = Mul(c, g)
    """)
    assert heads(view)["m"] == "c"


def test_gelu_written_out_is_computed_in_one_kernel() -> None:
    view = sketch("""
        c = MatMul(x, w[32,32])
        d = Div(c, root[])
        e = Erf(d)
        f = Add(e, one[])
        g = Mul(c, f)
        h = Mul(g, half[])
    """)
    assert set(heads(view).values()) == {"c"}
    assert len(heads(view)) == 6


def test_a_gate_between_two_kernels_belongs_to_neither() -> None:
    view = sketch("""
        c = Conv(x, w[16,16,3,3])
        p = GlobalAveragePool(c)
        s = Conv(p, v[16,16,1,1])
        g = Sigmoid(s)
        m = Mul(c, g)
    """)
    assert "m" not in heads(view)
    assert "p" not in heads(view)
    assert heads(view)["g"] == "s"


def test_a_join_and_its_activation_end_the_kernel_of_the_main_path() -> None:
    view = sketch("""
        r = Relu(x)
        c = Conv(r, w[16,16,3,3])
        j = Add(r, c)
        a = Relu(j)
    """)
    assert heads(view) == {"c": "c", "j": "c", "a": "c"}


def test_custom_operators_are_never_absorbed() -> None:
    view = sketch("c = Conv(x, w[16,16,3,3])\n r = custom.Relu(c)\n s = Relu(r)")
    assert heads(view) == {"c": "c"}
