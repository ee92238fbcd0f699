"""Rewriting: Q/DQ on the planned edges, and everything else as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from onnx.numpy_helper import from_array, to_array

from onnxq import onnx_io
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.graph import Site
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, Spec
from onnxq.stages.rewrite import rewrite

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3)).astype(np.float32)
ACTIVATION = QuantParams(np.array(0.05, np.float32), Spec("int8"), "max")


def model_of(body, opset=19, **weights):
    """A model from the text of its graph, whose nodes are named after their first outputs."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}]> {body}')
    model.graph.initializer.extend(from_array(array, name) for name, array in weights.items())
    for node in model.graph.node:
        node.name = node.name or f"{node.output[0]}!"
    return model


def weight_params(weight, axis=None):
    if axis is None:
        return QuantParams(np.abs(weight).max() / np.float32(127), Spec("int8", role="weight"), "weight, max")
    others = tuple(a for a in range(weight.ndim) if a != axis % weight.ndim)
    return QuantParams(
        np.abs(weight).max(axis=others) / np.float32(127), Spec("int8", PerAxis(axis), "weight"), "weight, max"
    )


def quantized(model, activations=(), weights=None, readers=None):
    """Rewrites `model`; all edges of quantized activations are read through Q/DQ unless `readers` says otherwise."""
    view = onnx_io.view(model)
    weights = weights or {}
    edges = [site for tensor in activations for site in view.sites.get(tensor, ())]
    scales = Scales(dict.fromkeys(activations, ACTIVATION), weights)
    return rewrite(model, view, scales, [*(edges if readers is None else readers), *weights], {"int8": INT8})


def run(model, **feeds):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def ops(model):
    return [node.op_type for node in model.graph.node]


def reads(model):
    """What each node of the original reads, by its first output."""
    return {node.output[0]: list(node.input) for node in model.graph.node}


def constants(model):
    return {tensor.name: to_array(tensor) for tensor in model.graph.initializer}


MATMUL = "g (float[N, 4] x) => (float[N, 3] y) { y = MatMul(x, w) }"
EDGE = Site("w", "y!", 1)


class TestActivations:
    """One pair behind each tensor."""

    def test_a_pair_is_shared_by_all_planned_readers_and_others_read_float(self):
        model = model_of("g (float[4] x) => (float[4] a, float[4] b, float[4] c) { a = Relu(x) b = Exp(x) c = Neg(x) }")
        written = quantized(model, ["x"], readers=[Site("x", "a!", 0), Site("x", "c!", 0)])
        assert ops(written) == ["QuantizeLinear", "DequantizeLinear", "Relu", "Exp", "Neg"]
        after = reads(written)
        assert after["a"] == after["c"] == ["x_DequantizeLinear_Output"]
        assert after["b"] == ["x"]

    def test_of_one_node_only_the_planned_inputs_read_the_pair(self):
        model = model_of("g (float[4] x) => (float[4] y) { y = Add(x, x) }")
        assert reads(quantized(model, ["x"], readers=[Site("x", "y!", 1)]))["y"] == ["x", "x_DequantizeLinear_Output"]
        assert reads(quantized(model, ["x"]))["y"] == ["x_DequantizeLinear_Output"] * 2

    def test_a_pair_stands_right_behind_the_producer(self):
        model = model_of("g (float[4] x) => (float[4] z) { t = Relu(x) u = Exp(x) z = Add(t, u) }")
        assert ops(quantized(model, ["t"])) == ["Relu", "QuantizeLinear", "DequantizeLinear", "Exp", "Add"]

    def test_a_pair_of_an_input_stands_in_front_of_everything(self):
        model = model_of("g (float[4] x, float[4] v) => (float[4] z) { t = Relu(x) z = Add(t, v) }")
        assert ops(quantized(model, ["v"])) == ["QuantizeLinear", "DequantizeLinear", "Relu", "Add"]

    def test_a_tensor_that_is_also_an_output_is_returned_as_float(self):
        model = model_of("g (float[4] x) => (float[4] t, float[4] z) { t = Relu(x) z = Exp(t) }")
        x = RNG.normal(size=4).astype(np.float32)
        np.testing.assert_array_equal(run(quantized(model, ["t"]), x=x)["t"], np.maximum(x, 0))

    def test_a_tensor_that_a_body_reads_too_is_read_there_as_float(self):
        body = "<then_branch = a () => (float[4] p) { p = Exp(t) }, else_branch = b () => (float[4] q) { q = Neg(t) }>"
        model = model_of(
            f"g (float[4] x, bool c) => (float[4] y, float[4] z) {{ t = Relu(x) y = If(c) {body} z = Abs(t) }}"
        )
        written = quantized(model, ["t"])
        x = np.abs(RNG.normal(size=4)).astype(np.float32)
        np.testing.assert_array_equal(run(written, x=x, c=np.array(False))["y"], -x)

    def test_scale_and_zero_point_are_scalars_of_float32_and_int8(self):
        written = quantized(model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }"), ["x"])
        scale, zero = constants(written)["x_scale"], constants(written)["x_zero_point"]
        assert (scale.shape, scale.dtype, scale) == ((), np.float32, np.float32(0.05))
        assert (zero.shape, zero.dtype, zero) == ((), np.int8, 0)
        assert all(node.input[1:] == ["x_scale", "x_zero_point"] for node in written.graph.node[:2])


class TestWeights:
    """Integers in place of the float weight."""

    @pytest.mark.parametrize("axis", [None, 0, 1, -1])
    def test_a_weight_becomes_integers_and_a_dequantizelinear_with_its_axis(self, axis):
        params = weight_params(W, axis)
        written = quantized(model_of(MATMUL, w=W), weights={EDGE: params})
        assert ops(written) == ["DequantizeLinear", "MatMul"]
        node = written.graph.node[0]
        assert {a.name: a.i for a in node.attribute} == ({} if axis is None else {"axis": axis})
        codes, scale, zero = (constants(written)[name] for name in node.input)
        assert set(constants(written)) == set(node.input)
        assert (codes.dtype, codes.shape) == (np.int8, W.shape)
        np.testing.assert_array_equal(scale, params.scale)
        assert (zero.dtype, zero.shape, zero.any()) == (np.int8, scale.shape, False)

    @pytest.mark.parametrize("axis", [None, 0, 1, -1, -2])
    def test_the_dequantized_weight_is_the_round_trip_of_the_weight(self, axis):
        params = weight_params(W, axis)
        written = quantized(model_of(MATMUL, w=W), weights={EDGE: params})
        round_trip = INT8.round_trip(W, params.broadcastable(2))
        np.testing.assert_array_equal(run(written, x=np.eye(4, dtype=np.float32))["y"], round_trip)
        assert np.all(np.abs(round_trip - W) <= params.broadcastable(2) * 0.5001)

    def test_values_beyond_the_range_saturate(self):
        params = QuantParams(np.array(0.01, np.float32), Spec("int8", role="weight"), "weight, mse")
        written = quantized(model_of(MATMUL, w=np.float32([[-9, 9]] * 4)), weights={EDGE: params})
        assert constants(written)["w_quantized"].tolist() == [[-128, 127]] * 4

    def test_readers_of_one_weight_share_its_integers_and_have_a_dequantizelinear_each(self):
        model = model_of(
            "g (float[2, 4] x) => (float[2, 3] a, float[2, 3] b) { a = MatMul(x, w) b = MatMul(x, w) }", w=W
        )
        written = quantized(model, weights=dict.fromkeys([Site("w", "a!", 1), Site("w", "b!", 1)], weight_params(W, 1)))
        assert ops(written) == ["DequantizeLinear", "MatMul", "DequantizeLinear", "MatMul"]
        first, second = written.graph.node[0], written.graph.node[2]
        assert list(first.input) == list(second.input)
        assert list(first.attribute) == list(second.attribute)
        assert first.name != second.name
        assert first.output[0] != second.output[0]
        assert [written.graph.node[i].input[1] for i in (1, 3)] == [first.output[0], second.output[0]]
        assert sorted(constants(written)) == ["w_quantized", "w_scale", "w_zero_point"]

    def test_readers_that_cut_one_weight_differently_have_integers_each(self):
        square = RNG.normal(size=(4, 4)).astype(np.float32)
        model = model_of(
            "g (float[2, 4] x) => (float[2, 4] a, float[2, 4] b) { a = MatMul(x, w) b = Gemm<transB = 1>(x, w) }",
            w=square,
        )
        sites = {Site("w", "a!", 1): weight_params(square, 1), Site("w", "b!", 1): weight_params(square, 0)}
        written = quantized(model, weights=sites)
        x = np.eye(4, dtype=np.float32)[:2]
        columns, rows = (INT8.round_trip(square, weight_params(square, a).broadcastable(2)) for a in (1, 0))
        result = run(written, x=x)
        np.testing.assert_array_equal(result["a"], x @ columns)
        np.testing.assert_array_equal(result["b"], x @ rows.T)

    def test_readers_that_scale_one_weight_differently_have_integers_each(self):
        model = model_of(
            "g (float[2, 4] x) => (float[2, 3] a, float[2, 3] b) { a = MatMul(x, w) b = MatMul(x, w) }", w=W
        )
        largest = weight_params(W, 1)
        half = replace(largest, scale=largest.scale / 2)
        written = quantized(model, weights={Site("w", "a!", 1): largest, Site("w", "b!", 1): half})
        x = np.eye(4, dtype=np.float32)[:2]
        result = run(written, x=x)
        for output, params in (("a", largest), ("b", half)):
            np.testing.assert_array_equal(result[output], x @ INT8.round_trip(W, params.broadcastable(2)))

    def test_the_float_weight_goes_when_nothing_reads_it_any_more(self):
        assert "w" not in constants(quantized(model_of(MATMUL, w=W), weights={EDGE: weight_params(W)}))

    @pytest.mark.parametrize(
        "body",
        [
            "g (float[N, 4] x) => (float[N, 3] y, float[4, 3] z) { y = MatMul(x, w) z = Relu(w) }",
            "g (float[N, 4] x) => (float[N, 3] y, float[4, 3] w) { y = MatMul(x, w) }",
            """g (float[N, 4] x, bool c) => (float[N, 3] y, float[4, 3] z) { y = MatMul(x, w) z = If(c) <then_branch =
            a () => (float[4, 3] p) { p = Identity(w) }, else_branch = b () => (float[4, 3] q) { q = Neg(w) }> }""",
            """g (float[N, 4] x, bool c) => (float[N, 3] y, float[4, 3] z) { y = MatMul(x, w) z = If(c) <then_branch =
            a () => (float[4, 3] p) { p = If(c) <then_branch = d () => (float[4, 3] r) { r = Identity(w) },
            else_branch = e () => (float[4, 3] s) { s = Identity(w) }> },
            else_branch = b () => (float[4, 3] q) { q = Neg(w) }> }""",
        ],
        ids=["another node", "graph output", "If body", "nested If body"],
    )
    def test_the_float_weight_stays_when_something_else_reads_it(self, body):
        written = quantized(model_of(body, w=W), weights={EDGE: weight_params(W)})
        np.testing.assert_array_equal(constants(written)["w"], W)
        onnx.checker.check_model(written, full_check=True)
        feeds = {"x": np.eye(4, dtype=np.float32)} | ({"c": np.array(True)} if "bool c" in body else {})
        last = [o.name for o in written.graph.output][-1]
        np.testing.assert_array_equal(run(written, **feeds)[last], np.maximum(W, 0) if "Relu" in body else W)


CONV = """g (float[N, 3, 6, 6] x) => (float[N, 4, 4, 4] y) <float[N, 4, 4, 4] c>
{ c = Conv(x, w, b) r = Relu(c) y = Add(r, r) }"""


def conv_model():
    model = model_of(CONV, w=RNG.normal(size=(4, 3, 3, 3)).astype(np.float32), b=RNG.normal(size=4).astype(np.float32))
    model.doc_string, model.producer_name = "a model", "someone"
    model.graph.doc_string, model.graph.name = "a graph", "its name"
    model.graph.node[0].doc_string = "a node"
    onnx.helper.set_model_props(model, {"license": "mine", "classes": "cat,dog"})
    model.graph.metadata_props.add(key="a", value="b")
    model.graph.node[0].metadata_props.add(key="c", value="d")
    return model


class TestEverythingElse:
    """Is as it was."""

    @pytest.fixture
    def pair(self):
        model = conv_model()
        site = Site("w", "c!", 1)
        return model, quantized(model, ["x", "r"], {site: weight_params(onnx_io.view(model).constants["w"], 0)})

    def test_the_input_model_is_not_modified(self):
        model = conv_model()
        before = model.SerializeToString(deterministic=True)
        quantized(model, ["x", "r"], {Site("w", "c!", 1): weight_params(onnx_io.view(model).constants["w"], 0)})
        assert model.SerializeToString(deterministic=True) == before

    def test_nodes_keep_their_order_names_and_attributes(self, pair):
        model, written = pair
        kept = [node for node in written.graph.node if not node.op_type.endswith("Linear")]
        for before, after in zip(model.graph.node, kept, strict=True):
            restored = onnx.NodeProto()
            restored.CopyFrom(after)
            del restored.input[:]
            restored.input.extend(before.input)
            assert restored == before

    def test_all_but_nodes_and_initializers_is_equal(self, pair):
        for model in pair:
            del model.graph.node[:]
            del model.graph.initializer[:]
        assert pair[0] == pair[1]

    def test_other_initializers_are_equal_and_in_their_order(self, pair):
        model, written = pair
        assert written.graph.initializer[0] == model.graph.initializer[1]
        assert [t.name for t in written.graph.initializer] == [
            *("b", "w_quantized", "w_scale", "w_zero_point"),
            *("x_scale", "x_zero_point", "r_scale", "r_zero_point"),
        ]

    def test_nothing_to_quantize_writes_the_same_model(self):
        model = conv_model()
        assert quantized(model) == model

    def test_writing_twice_writes_the_same(self):
        model = conv_model()
        site = {Site("w", "c!", 1): weight_params(onnx_io.view(model).constants["w"], 0)}
        once, again = (quantized(model, ["x", "r"], site).SerializeToString(deterministic=True) for _ in range(2))
        assert once == again

    def test_it_is_valid_onnx_and_computes_what_numpy_computes(self, pair):
        model, written = pair
        onnx.checker.check_model(written, full_check=True)
        weights = constants(model)
        x = RNG.normal(size=(2, 3, 6, 6)).astype(np.float32)
        params = weight_params(weights["w"], 0)
        w = INT8.round_trip(weights["w"], params.broadcastable(4))
        seen = INT8.round_trip(x, ACTIVATION.scale)
        patches = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(2, 3))
        summed = np.einsum("ncijkl,ockl->noij", patches.astype(np.float64), w) + weights["b"][:, None, None]
        r = INT8.round_trip(np.maximum(summed, 0).astype(np.float32), ACTIVATION.scale)
        # a sum that falls between two codes may be rounded to either, which is one LSB, doubled by the Add
        difference = np.abs(run(written, x=x)["y"] - 2 * r)
        assert difference.max() <= 2 * 0.05 * 1.001
        assert np.mean(difference > 1e-5) < 0.01


class TestNames:
    """New names never clash."""

    TAKEN = ("x_scale", "x_zero_point", "x_QuantizeLinear_Output", "x_DequantizeLinear_Output", "x_scale_1")

    @pytest.mark.parametrize("where", ["tensors", "body", "initializers", "nodes"])
    def test_names_that_are_taken_are_numbered(self, where):
        taken = self.TAKEN
        chain = " ".join(f"{new} = Relu({old})" for old, new in zip(("x", *taken), (*taken, "y"), strict=True))
        branch = chain.replace("y = Relu", "p = Relu")
        bodies = {
            "tensors": f"g (float[4] x) => (float[4] y) {{ {chain} }}",
            "body": f"""g (float[4] x, bool c) => (float[4] y) {{ u = Abs(x) y = If(c) <then_branch = a () =>
            (float[4] p) {{ {branch} }}, else_branch = b () => (float[4] q) {{ q = Neg(u) }}> }}""",
            "initializers": "g (float[4] x) => (float[4] y) { y = Sum(x, " + ", ".join(taken) + ") }",
            "nodes": "g (float[4] x) => (float[4] y) { " + chain.replace("x_", "t_") + " }",
        }
        model = model_of(
            bodies[where], **(dict.fromkeys(taken, np.ones(4, np.float32)) if where == "initializers" else {})
        )
        for index, node in enumerate(model.graph.node):
            if where == "nodes":
                node.name = ("x_QuantizeLinear", "x_DequantizeLinear", *taken, "e")[index]
        first = onnx_io.view(model).sites["x"][0]
        written = quantized(model, ["x"], readers=[first])
        onnx.checker.check_model(written, full_check=True)
        names = [node.name for node in written.graph.node]
        tensors = [t.name for t in written.graph.initializer] + [o for node in written.graph.node for o in node.output]
        assert len(names) == len(set(names))
        assert len(tensors) == len(set(tensors))
        feeds = {"x": np.float32([-1, 0, 1, 2])} | ({"c": np.array(True)} if where == "body" else {})
        np.testing.assert_allclose(run(written, **feeds)["y"], run(model, **feeds)["y"], atol=0.05)


def test_integers_are_stored_one_byte_each():
    written = quantized(model_of(MATMUL, w=W), weights={EDGE: weight_params(W)})
    stored = next(t for t in written.graph.initializer if t.name == "w_quantized")
    assert stored.data_type == onnx.TensorProto.INT8
    assert len(stored.raw_data) == W.size
    np.testing.assert_array_equal(numpy_helper.to_array(stored), INT8.encode(W, weight_params(W).scale))
