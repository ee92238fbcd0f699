"""The read-only view of a model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from onnxq import onnx_io
from onnxq.core.graph import Node

W = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)


def model_of(body, opset=19, **weights):
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}]> {body}')
    model.graph.initializer.extend(from_array(array, name) for name, array in weights.items())
    return model


class TestView:
    """The read-only picture."""

    def test_nodes_edges_and_attributes(self):
        body = "g (float[N, 4] x) => (float[N, 3] y) { t = Relu(x) y = Gemm<alpha = 0.5, transB = 1>(t, w, b) }"
        view = onnx_io.view(model_of(body, w=np.ones((3, 4), np.float32), b=np.zeros(3, np.float32)))
        assert (view.inputs, view.outputs, set(view.constants)) == (("x",), ("y",), {"w", "b"})
        assert view.nodes[0] == Node("", "Relu", ("x",), ("t",))
        gemm = view.nodes[1]
        assert (gemm.op, gemm.inputs, gemm.outputs) == ("Gemm", ("t", "w", "b"), ("y",))
        assert dict(gemm.attributes) == {"alpha": 0.5, "transB": 1}

    def test_list_attributes_are_lists_and_omitted_inputs_empty(self):
        view = onnx_io.view(
            model_of("g (float[N, 4] x) => (float[N, 4] y) { y = Clip(x, , x) z = Transpose<perm = [1, 0]>(x) }")
        )
        assert view.nodes[0].inputs == ("x", "", "x")
        assert view.nodes[1].attributes == {"perm": [1, 0]}

    def test_the_long_name_of_the_standard_domain_is_the_short_one(self):
        model = model_of("g (float[4] x) => (float[4] y) { t = Relu(x) y = Relu(t) }")
        model.graph.node[0].domain, model.graph.node[1].domain = "ai.onnx", "com.me"
        assert [node.domain for node in onnx_io.view(model).nodes] == ["", "com.me"]

    def test_an_input_with_a_default_is_a_constant_and_no_input(self):
        model = model_of("g (float[4] x, float[4] w) => (float[4] y) { y = Add(x, w) }", w=np.ones(4, np.float32))
        assert onnx_io.view(model).inputs == ("x",)

    def test_shapes_are_those_of_inputs_outputs_and_value_infos(self):
        body = "g (float[N, 4, 0] x, float s, float[] u) => (float[2] y) <float[?, 3] t, float[M] v> { y = Relu(x) }"
        view = onnx_io.view(model_of(body.replace("?", "A")))
        assert view.shapes == {"x": (None, 4, 0), "s": (), "y": (2,), "t": (None, 3), "v": (None,)}

    def test_a_tensor_of_unknown_rank_has_no_shape(self):
        model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
        model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, None))
        view = onnx_io.view(model)
        assert "t" not in view.shapes
        assert view.dtypes["t"] == "float32"

    @pytest.mark.parametrize(
        ("element", "dtype"),
        [
            (TensorProto.FLOAT, "float32"),
            (TensorProto.FLOAT16, "float16"),
            (TensorProto.DOUBLE, "float64"),
            (TensorProto.INT8, "int8"),
            (TensorProto.INT64, "int64"),
            (TensorProto.BOOL, "bool"),
            (TensorProto.BFLOAT16, "bfloat16"),
            (TensorProto.UNDEFINED, None),
            (12345, None),
        ],
    )
    def test_types_have_the_names_that_numpy_gives_them(self, element, dtype):
        model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
        model.graph.input[0].type.tensor_type.elem_type = element
        assert onnx_io.view(model).dtypes.get("x") == dtype

    def test_sequences_have_neither_shape_nor_type(self):
        model = model_of("g (float[4] x) => (seq(float[4]) y) { y = SequenceConstruct(x) }")
        view = onnx_io.view(model)
        assert (list(view.shapes), list(view.dtypes)) == (["x"], ["x"])

    def test_what_bodies_read_is_captured_however_deep(self):
        inner = (
            "<then_branch = c () => (float[4] r) { r = Exp(deep) }, else_branch = d () => (float[4] s) { s = Neg(x) }>"
        )
        body = (
            f"<then_branch = a () => (float[4] p) {{ p = If(k) {inner} }}, else_branch = b () => (float[4] out) {{ }}>"
        )
        model = model_of(
            f"g (float[4] x, bool k) => (float[4] y) {{ deep = Abs(x) out = Sin(x) only = Cos(x) y = If(k) {body} }}"
        )
        view = onnx_io.view(model)
        assert {"deep", "out", "x", "k"} <= view.captured
        assert "only" not in view.captured

    def test_a_body_is_no_attribute_value(self):
        body = "<then_branch = a () => (float[4] p) { p = Exp(x) }, else_branch = b () => (float[4] q) { q = Neg(x) }>"
        view = onnx_io.view(model_of(f"g (float[4] x, bool k) => (float[4] y) {{ y = If(k) {body} }}"))
        assert set(view.nodes[0].attributes.values()) == {None}
