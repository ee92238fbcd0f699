"""A Mul where nothing else could take units up."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench import EXACT, Floats
from tests.moved import drawn, error, feeds, known, moved

from onnxq import onnx_io
from onnxq.core.graph import GraphView
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.core.opened import closed, has_number, opened
from onnxq.stages.rewrite import edited


def net(op: str = "Tanh", *constants: float) -> Floats:
    """Something that no unit passes, then a tensor t, which weights read."""
    made = Floats()
    made.node("Sigmoid", made.input("x", 2, 6, 4), out="s")
    made.node(op, "s", *(made.constant(f"c{i}", value) for i, value in enumerate(constants)), out="t")
    made.node("MatMul", "t", made.constant("w", np.random.default_rng(0).normal(size=(4, 3))), out="y")
    return made


def view_of(made: Floats, *outputs: str) -> GraphView:
    return onnx_io.view(known(made.model(*outputs)))


def shut(made: Floats, *outputs: str) -> list[str]:
    view = view_of(made, *outputs)
    return list(closed(view, lanes_of(view)))


@pytest.mark.parametrize(
    ("made", "ops"),
    [
        (net("Tanh"), ["Sigmoid", "Tanh", "Mul", "MatMul"]),
        (net("Mul", 0.5), ["Sigmoid", "Mul", "MatMul"]),
        (net("Div", 2.0), ["Sigmoid", "Div", "MatMul"]),
    ],
    ids=["any operator", "Mul", "Div"],
)
def test_units_are_free_behind_and_the_graph_computes_the_same_in_any(made, ops):
    model = known(made.model("y"))
    view = onnx_io.view(model)
    assert list(closed(view, lanes_of(view))) == ["t"]
    assert has_number(view, "t") == (len(ops) == 3)
    after = opened(view, ["t"])
    assert [node.op for node in after.nodes] == ops
    assert set(view.by_name) <= set(after.by_name)
    lanes, rng = lanes_of(after), np.random.default_rng(1)
    assert FIXED not in lanes.scales[lanes.of["t"]]
    feed, wide = feeds(view, rng), edited(model, view, after)
    assert error(model, wide, feed) <= EXACT
    assert error(model, moved(wide, drawn(lanes, rng)), feed) <= EXACT


def test_a_number_that_others_read_stays_theirs():
    made = net("Mul", 0.5)
    made.node("Add", "x", "c0", out="z")
    after = opened(view_of(made, "y", "z"), ["t"])
    assert after.constants["c0"].shape == ()
    assert after.by_name["t"].inputs == ("s", "t_factors")


@pytest.mark.parametrize("outputs", [("y", "t"), ("y", "z")], ids=["the user", "another operator"])
def test_what_others_see_cannot_be_opened(outputs):
    made = net()
    made.node("Relu", "t", out="z")
    assert shut(made, *outputs) == []


def test_what_is_free_needs_not_be_opened():
    made = Floats()
    made.node("LayerNormalization", made.input("x", 2, 6, 4), made.constant("g", np.ones(4)), out="n")
    made.node("MatMul", "n", made.constant("w", np.ones((4, 3))), out="y")
    assert shut(made, "y") == []


def test_one_channel_alone_is_not_worth_it():
    made = Floats()
    made.node("MatMul", made.node("Tanh", made.input("x", 2, 1)), made.constant("w", np.ones((1, 3))), out="y")
    assert shut(made, "y") == []
