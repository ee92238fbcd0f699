"""A float model with what a fix changed in its graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnxq import onnx_io
from onnxq.core.graph import Node
from onnxq.runtimes import onnxruntime
from onnxq.stages.rewrite import edited

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4)).astype(np.float32)


@pytest.fixture
def model():
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], "gemm", doc_string="where it is from", alpha=2.0),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    nodes[0].metadata_props.add(key="layer", value="1")
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", floats, ["N", 4])],
        [helper.make_tensor_value_info("y", floats, ["N", 3])],
        [
            numpy_helper.from_array(RNG.normal(size=(4, 3)).astype(np.float32), "w"),
            numpy_helper.from_array(np.ones(3, np.float32), "b"),
        ],
        value_info=[helper.make_tensor_value_info("h", floats, ["N", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def computed(model):
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.run(model, {"x": X})["y"]


def test_what_did_not_change_stays_to_the_byte(model):
    view = onnx_io.view(model)
    assert edited(model, view, view).SerializeToString() == model.SerializeToString()


def test_the_model_that_was_given_is_not_touched(model):
    before, view = model.SerializeToString(), onnx_io.view(model)
    edited(model, view, replace(view, constants={**view.constants, "b": np.zeros(3, np.float32)}))
    assert model.SerializeToString() == before


def test_a_constant_takes_its_new_value(model):
    view = onnx_io.view(model)
    after = replace(view, constants={**view.constants, "b": np.full(3, 5.0, np.float32)})
    found = edited(model, view, after)
    np.testing.assert_array_equal(onnx_io.view(found).constants["b"], 5.0)
    assert [tensor.name for tensor in found.graph.initializer] == ["w", "b"]
    np.testing.assert_allclose(computed(found), np.maximum(X @ view.constants["w"] * 2 + 5, 0), rtol=1e-5)


def test_a_node_with_other_attributes_keeps_its_comments(model):
    view = onnx_io.view(model)
    first, second = view.nodes
    after = replace(view, nodes=(replace(first, attributes={"alpha": 1.0}), second))
    found = edited(model, view, after)
    assert found.graph.node[0].doc_string == "where it is from"
    assert found.graph.node[0].metadata_props[0].value == "1"
    np.testing.assert_allclose(computed(found), np.maximum(X @ view.constants["w"] + 1, 0), rtol=1e-5)


def test_nodes_and_constants_are_added_in_the_order_of_the_view(model):
    view = onnx_io.view(model)
    first, second = view.nodes
    added = Node("shift", "Add", ("h", "c"), ("h_shifted",))
    after = replace(
        view,
        nodes=(first, added, replace(second, inputs=("h_shifted",))),
        constants={**view.constants, "c": np.array([1, 2, 3], np.float32)},
    )
    found = edited(model, view, after)
    assert [node.name for node in found.graph.node] == ["gemm", "shift", "relu"]
    np.testing.assert_allclose(computed(found), np.maximum(X @ view.constants["w"] * 2 + [2, 3, 4], 0), rtol=1e-5)


def test_what_is_gone_leaves_nothing_behind(model):
    view = onnx_io.view(model)
    nodes = (Node("relu", "Relu", ("x",), ("y",)),)
    found = edited(model, view, replace(view, nodes=nodes, constants={}))
    assert [node.op_type for node in found.graph.node] == ["Relu"]
    assert not found.graph.initializer
    assert not found.graph.value_info  # a type of what nobody computes would be an error elsewhere


def test_a_function_of_another_domain_is_still_one(model):
    model.graph.node[1].domain = "com.microsoft"
    model.graph.node[1].op_type = "Gelu"
    view = onnx_io.view(model)
    first, second = view.nodes
    after = replace(view, nodes=(first, replace(second, inputs=("x",))))
    assert edited(model, view, after).graph.node[1].domain == "com.microsoft"
