"""What is quantized together: kernels, and blocks of kernels."""

from __future__ import annotations

from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView
from onnxq.core.group import Group
from onnxq.stages.plan import plan
from onnxq.stages.plan.groups import blocks, kernels

RESIDUAL = """
    a = Conv(x, wa[16,16,3,3])
    b = Relu(a)
    c = Conv(b, wc[16,16,3,3])
    d = Relu(c)
    e = Conv(d, we[16,16,3,3])
    f = Add(e, b)
    g = Relu(f)
    h = Conv(g, wh[16,16,3,3])
"""
SHAPES = dict.fromkeys(("x", *"abcdefgh"), (1, 16, 8, 8))


def groups(view: GraphView) -> tuple[Group, ...]:
    return kernels(plan(view, TENSORRT), view, TENSORRT, view.shapes)


def test_a_kernel_is_a_convolution_with_what_it_computes_on_its_way_out():
    found = groups(sketch(RESIDUAL, SHAPES))
    assert [(group.name, group.op, group.nodes) for group in found] == [
        ("a", "Conv", ("a", "b")),
        ("c", "Conv", ("c", "d")),
        ("e", "Conv", ("e", "f", "g")),
        ("h", "Conv", ("h",)),
    ]


def test_its_sites_are_all_edges_that_the_plan_quantizes_in_it():
    view = sketch(RESIDUAL, SHAPES)
    found = groups(view)
    assert {str(site) for site in found[2].sites} == {
        "input 0 of 'e' (tensor 'd')",
        "input 1 of 'e' (tensor 'we')",
        "input 1 of 'f' (tensor 'b')",
    }
    everything = [site for group in found for site in group.sites]
    assert sorted(everything) == sorted(decision.site for decision in plan(view, TENSORRT).quantized)


def test_its_work_is_that_of_its_nodes():
    first = groups(sketch(RESIDUAL, SHAPES))[0]
    assert first.macs == 16 * 64 * 16 * 9
    assert first.bytes == 4 * (16 * 64 + 16 * 16 * 9 + 16 * 64)


def test_what_stays_in_float_is_no_group():
    view = sketch(RESIDUAL.replace("wh[16,16,3,3]", "wh[1,16,3,3]"), SHAPES)
    without = plan(view, TENSORRT).without(["c"])
    assert "c" not in {group.name for group in kernels(without, view, TENSORRT, view.shapes)}


def test_a_quantized_node_outside_any_kernel_is_a_group_of_its_own():
    view = sketch(
        """
        a = Conv(x, wa[16,16,3,3])
        p = AveragePool(a)
        b = Conv(p, wb[16,16,3,3])
        """,
        dict.fromkeys("xapb", (1, 16, 8, 8)),
    )
    assert [group.nodes for group in groups(view)] == [("a",), ("p",), ("b",)]


def test_both_products_of_an_attention_are_one_group():
    shapes = dict.fromkeys(("q", "k", "v", "s", "m", "t", "o"), (1, 4, 64, 64))
    view = sketch(
        """
        s = MatMul(q, k)
        m = Mul(s, root[])
        t = Softmax(m)
        o = MatMul(t, v)
        """,
        shapes,
    )
    (found,) = groups(view)
    assert (found.name, found.nodes) == ("s", ("s", "m", "o"))
    assert len(found.sites) == 4


def test_a_block_lies_between_places_that_one_tensor_crosses():
    view = sketch(RESIDUAL, SHAPES)
    found = blocks(groups(view), view)
    assert [(group.name, group.op) for group in found] == [("a", "Conv"), ("c to e", "block"), ("h", "Conv")]
    assert found[1].nodes == ("c", "d", "e", "f", "g")


def test_a_block_does_what_its_kernels_do():
    view = sketch(RESIDUAL, SHAPES)
    parts, block = groups(view)[1:3], blocks(groups(view), view)[1]
    assert block.macs == sum(part.macs for part in parts)
    assert block.bytes == sum(part.bytes for part in parts)
    assert block.sites == tuple(site for part in parts for site in part.sites)


def test_a_chain_has_a_block_per_kernel():
    view = sketch(
        """
        a = Conv(x, wa[16,16,3,3])
        b = Relu(a)
        c = Conv(b, wc[16,16,3,3])
        """,
        SHAPES,
    )
    assert blocks(groups(view), view) == groups(view)


def test_whole_numbers_that_cross_separate_nothing():
    """Shapes that are computed at run time cross many places."""
    view = sketch(
        """
        n = Shape(x)
        a = Conv(x, wa[16,16,3,3])
        c = Conv(a, wc[16,16,3,3])
        r = Reshape(c, n)
        """,
        SHAPES,
    )
    view.dtypes["n"] = "int64"  # type: ignore[index]
    assert [group.name for group in blocks(groups(view), view)] == ["a", "c"]
