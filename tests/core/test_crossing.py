"""Which tensors cross a place between two nodes."""

from __future__ import annotations

from dataclasses import replace

from tests.sketch import sketch

from onnxq.core.crossing import crossing


def test_a_tensor_crosses_until_its_last_reader():
    view = sketch("""
        a = Relu(x)
        b = Relu(a)
        c = Add(b, a)
    """)
    assert crossing(view) == (("x",), ("a",), ("a", "b"), ("c",))


def test_outputs_cross_to_the_end():
    view = sketch("""
        a = Relu(x)
        b = Relu(x)
    """)
    assert crossing(view)[-1] == ("a", "b")


def test_an_input_that_is_an_output_crosses_everywhere():
    view = replace(sketch("a = Relu(x)"), outputs=("a", "x"))
    assert crossing(view) == (("x",), ("x", "a"))


def test_constants_and_what_nobody_reads_never_cross():
    view = sketch("""
        a = Conv(x, w[4,4,1,1])
        b, unread = Split(a)
    """)
    view = replace(view, outputs=("b",))
    assert crossing(view) == (("x",), ("a",), ("b",))


def test_what_bodies_read_crosses_up_to_every_node_with_bodies():
    view = sketch("""
        a = Relu(x)
        b = Relu(x)
        c = If(b)
    """)
    branch = replace(view.nodes[2], attributes={"then_branch": None})
    view = replace(view, nodes=(*view.nodes[:2], branch), captured=frozenset({"a"}), outputs=("c",))
    assert crossing(view)[2] == ("a", "b")
