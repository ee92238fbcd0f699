"""A piece of a model computes what the model computes there."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxq.onnx_io import Parts
from onnxq.runtimes.onnxruntime import run

WEIGHT = np.arange(16, dtype=np.float32).reshape(4, 4)


def info(name: str, shape: object = ("N", 4)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model() -> onnx.ModelProto:
    """h = x w; b = If(true) h + w else x; y = relu(b)."""
    branches = {
        "then_branch": helper.make_graph([helper.make_node("Add", ["h", "w"], ["t"])], "then", [], [info("t")]),
        "else_branch": helper.make_graph([helper.make_node("Identity", ["x"], ["e"])], "else", [], [info("e")]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], "product"),
            helper.make_node("If", ["c"], ["b"], "if", **branches),
            helper.make_node("Relu", ["b"], ["y"], "relu"),
        ],
        "whole",
        [info("x")],
        [info("y")],
        [numpy_helper.from_array(WEIGHT, "w"), numpy_helper.from_array(np.array(True), "c")],
        value_info=[info("h"), info("b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def test_a_piece_has_the_inputs_constants_and_outputs_that_it_needs():
    piece = Parts(model()).part(0, 1, before=("x",), behind=("x", "h"))
    onnx.checker.check_model(piece)
    assert [node.name for node in piece.graph.node] == ["product"]
    assert [value.name for value in piece.graph.input] == ["x"]
    assert [value.name for value in piece.graph.output] == ["h"]
    assert [tensor.name for tensor in piece.graph.initializer] == ["w"]


def test_what_bodies_read_is_an_input_or_a_constant():
    piece = Parts(model()).part(1, 2, before=("x", "h"), behind=("b",))
    assert [value.name for value in piece.graph.input] == ["x", "h"]
    assert [tensor.name for tensor in piece.graph.initializer] == ["c", "w"]


def test_pieces_one_after_the_other_compute_what_the_model_does():
    whole, state = model(), {"x": np.eye(4, dtype=np.float32)}
    parts = Parts(whole)
    steps = [(0, 1, ("x",), ("x", "h")), (1, 2, ("x", "h"), ("b",)), (2, 3, ("b",), ("y",))]
    wanted = run(whole, state)["y"]
    for start, stop, before, behind in steps:
        piece = parts.part(start, stop, before, behind)
        state = {**state, **run(piece, {value.name: state[value.name] for value in piece.graph.input})}
    np.testing.assert_array_equal(state["y"], wanted)


def test_the_model_is_only_read():
    whole = model()
    before = whole.SerializeToString(deterministic=True)
    Parts(whole).part(0, 2, ("x",), ("b",))
    assert whole.SerializeToString(deterministic=True) == before
