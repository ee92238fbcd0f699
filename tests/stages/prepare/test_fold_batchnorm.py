from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx.numpy_helper import from_array, to_array

from onnxq.stages.prepare.fold_batchnorm import fold_batchnorm

NORM = "{} = BatchNormalization<epsilon = 0.001>({}, scale, B, mean, var)"
PAIR = f"t = Conv(x, w) {NORM.format('y', 't')}"


def with_weights(model, **arrays):
    model.graph.initializer.extend(from_array(array, name) for name, array in arrays.items())
    return model


def parameters(channels, rng, dtype=np.float32):
    return {
        "scale": rng.normal(size=channels).astype(dtype),
        "B": rng.normal(size=channels).astype(dtype),
        "mean": rng.normal(size=channels).astype(dtype),
        "var": rng.uniform(0, 2, size=channels).astype(dtype),
    }


def ops(model):
    return [node.op_type for node in model.graph.node]


@pytest.fixture
def conv(parse):
    """A model with the weights of a Conv from 3 to 4 channels and of its BatchNormalization."""

    def conv(text=PAIR, outputs="float[] y", dtype=np.float32, **changes):
        rng = np.random.default_rng(1)
        element = helper.tensor_dtype_to_string(helper.np_dtype_to_tensor_dtype(np.dtype(dtype))).split(".")[1].lower()
        weight = rng.normal(size=(4, 3, 3, 3)).astype(dtype)
        model = parse(f"g ({element}[N, 3, 8, 8] x) => ({outputs.replace('float', element)}) {{ {text} }}")
        return with_weights(model, **({"w": weight, **parameters(4, rng, dtype)} | changes))

    return conv


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("group", [1, 2, 6])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_convolutions_with_and_without_bias_and_groups(op, group, bias, parse, prepared):
    rng = np.random.default_rng(0)
    shape = (12, 6 // group, 3) if op == "Conv" else (6, 12 // group, 3)
    text = f"t = {op}<group = {group}>(x, w{bias}) {NORM.format('y', 't')}"
    model = with_weights(
        parse(f"g (float[2, 6, 9] x) => (float[] y) {{ {text} }}"),
        w=rng.normal(size=shape).astype(np.float32),
        b=rng.normal(size=12).astype(np.float32),
        **parameters(12, rng),
    )
    assert ops(prepared(model).model) == [op]


@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (2, 5), (2, 1), ()])
@pytest.mark.parametrize("attributes", ["", "transB = 1, alpha = 0.5, beta = 2.0", "transA = 1, beta = 0.0"])
def test_gemm_with_every_shape_of_bias(attributes, bias, parse, prepared):
    rng = np.random.default_rng(0)
    x = "3, 2" if "transA" in attributes else "2, 3"
    text = f"t = Gemm<{attributes}>(x, w{'' if bias is None else ', b'})".replace("<>", "")
    model = with_weights(
        parse(f"g (float[{x}] x) => (float[] y) {{ {text} {NORM.format('y', 't')} }}"),
        w=rng.normal(size=(5, 3) if "transB" in attributes else (3, 5)).astype(np.float32),
        b=np.asarray(rng.normal(size=bias or ())).astype(np.float32),
        **parameters(5, rng),
    )
    assert ops(prepared(model).model) == ["Gemm"]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(channels=st.integers(1, 5), seed=st.integers(0, 1000), small=st.floats(0, 1e-6))
def test_the_algebra_holds_for_variances_near_zero(channels, seed, small):
    """Against the definition in float64: (W x + b - mean) / sqrt(var + epsilon) * scale + B."""
    rng = np.random.default_rng(seed)
    p = parameters(channels, rng) | {"var": np.full(channels, small, np.float32)}
    w, x = rng.normal(size=(channels, 3)).astype(np.float32), rng.normal(size=3)
    graph = onnx.parser.parse_graph(
        f"g (float[2, 3] x) => (float[] y) {{ t = Gemm<transB = 1>(x, w) {NORM.format('y', 't')} }}"
    )
    model = with_weights(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), w=w, **p)
    ir_model = ir.from_proto(model)
    ir_model.graph[0].name = "t"
    assert fold_batchnorm(ir_model, None) == 1
    new = {name: value.const_value.numpy().astype(np.float64) for name, value in ir_model.graph.initializers.items()}
    expected = (w @ x - p["mean"]) / np.sqrt(p["var"].astype(np.float64) + np.float32(0.001)) * p["scale"] + p["B"]
    np.testing.assert_allclose(new["w_folded"] @ x + new["t_bias"], expected, rtol=1e-5, atol=1e-4)


def test_rule_1_training_mode_stays(apply, conv):
    model = conv(
        "t = Conv(x, w) y, m, v = BatchNormalization<training_mode = 1>(t, scale, B, mean, var)", "float[] y, float[] m"
    )
    assert apply(fold_batchnorm, model)[0] == 0


@pytest.mark.parametrize("computed", ["scale", "B", "mean", "var", "w", "b"])
def test_rule_2_computed_parameters_stay(apply, conv, computed):
    model = conv(f"t = Conv(x, w, b) {NORM.format('y', 't')}", b=np.ones(4, np.float32))
    shape = next(list(tensor.dims) for tensor in model.graph.initializer if tensor.name == computed)
    model.graph.input.append(helper.make_tensor_value_info(computed, onnx.TensorProto.FLOAT, shape))
    assert apply(fold_batchnorm, model)[0] == 0


def test_rule_2_a_product_of_another_kind_stays(apply, conv):
    assert apply(fold_batchnorm, conv(f"t = Relu(x) {NORM.format('y', 't')}"))[0] == 0
    assert apply(fold_batchnorm, conv(NORM.format("y", "x")))[0] == 0


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        (f"t = Conv(x, w) {NORM.format('u', 't')} y = Add(t, u)", "float[] y"),
        (f"t = Conv(x, w) {NORM.format('y', 't')}", "float[] y, float[] t"),
    ],
)
def test_rule_3_a_product_that_something_else_reads_stays(apply, conv, text, outputs):
    assert apply(fold_batchnorm, conv(text, outputs))[0] == 0


def test_rule_3_a_product_that_a_body_reads_stays(apply, conv):
    body = "<then_branch = a () => (float[] p) { p = Relu(t) }, else_branch = b () => (float[] q) { q = Relu(u) }>"
    model = conv(f"t = Conv(x, w) {NORM.format('u', 't')} c = Constant<value = bool {{1}}>() y = If(c) {body}")
    assert apply(fold_batchnorm, model)[0] == 0


def test_rule_4_a_shared_weight_is_not_changed(conv, prepared):
    text = f"t = Conv(x, w) {NORM.format('u', 't')} v = Conv(x, w) y = Add(u, v)"
    result = prepared(conv(text)).model
    assert ops(result) == ["Conv", "Conv", "Add"]
    assert sorted(tensor.name for tensor in result.graph.initializer) == ["Conv_0_bias", "w", "w_folded"]


def test_rule_4_two_pairs_that_share_a_weight_get_one_each(conv, prepared):
    text = f"t = Conv(x, w) {NORM.format('u', 't')} v = Conv(x, w) {NORM.format('z', 'v')} y = Add(u, z)"
    result = prepared(conv(text)).model
    names = {"w_folded", "w_folded_1", "Conv_0_bias", "Conv_1_bias"}
    assert {tensor.name for tensor in result.graph.initializer} == names


def test_rule_5_a_fold_beyond_float16_stays(apply, conv):
    huge = conv(dtype=np.float16, w=np.full((4, 3, 3, 3), 60000, np.float16), scale=np.full(4, 100, np.float16))
    assert apply(fold_batchnorm, huge)[0] == 0
    assert apply(fold_batchnorm, conv(dtype=np.float16))[0] == 1


@pytest.mark.filterwarnings("error")
def test_rule_5_a_negative_variance_stays(apply, conv):
    assert apply(fold_batchnorm, conv(var=np.full(4, -1, np.float32)))[0] == 0


def test_rule_5_the_folded_weight_keeps_its_type(apply, conv):
    folded = apply(fold_batchnorm, conv(dtype=np.float64))[1]
    assert {to_array(tensor).dtype for tensor in folded.graph.initializer} == {np.dtype(np.float64)}


def test_rule_6_the_output_keeps_the_name_of_the_batchnorm(conv, prepared):
    result = prepared(conv(f"t = Conv(x, w) {NORM.format('u', 't')} y = Relu(u)")).model
    assert [list(node.output) for node in result.graph.node] == [["u"], ["y"]]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"t = Conv(x, w) {NORM.format('u', 't')} y = Relu(u)", ["Conv", "Relu"]),
        (
            f"t = Conv(x, w) s = Relu(t) {NORM.format('u', 's')} y = Relu(u)",
            ["Conv", "Relu", "BatchNormalization", "Relu"],
        ),
    ],
    ids=["folded", "not folded"],
)
def test_rule_7_the_distribution_of_the_output_is_known(text, left, conv, prepared):
    offset, scale = np.array([1, 2, 3, 4], np.float32), np.array([1, -2, 3, -4], np.float32)
    result = prepared(conv(text, B=offset, scale=scale))
    assert ops(result.model) == left
    assert list(result.normals) == ["u"]
    np.testing.assert_array_equal(result.normals["u"].mean, offset)
    np.testing.assert_array_equal(result.normals["u"].deviation, np.abs(scale))


def test_rule_7_it_goes_by_the_name_that_the_output_has_in_the_end(conv, prepared):
    """An Identity behind it gave its name, which is the model's."""
    assert list(prepared(conv(f"t = Conv(x, w) {NORM.format('u', 't')} y = Identity(u)")).normals) == ["y"]


def test_rule_7_nothing_is_known_in_training_mode_or_of_computed_parameters(apply, conv):
    for model in (conv("t = Conv(x, w) y = BatchNormalization<training_mode = 1>(t, scale, B, mean, var)"), conv()):
        if "training_mode" not in str(model):
            model.graph.input.append(helper.make_tensor_value_info("B", onnx.TensorProto.FLOAT, [4]))
        ir_model = ir.from_proto(model)
        fold_batchnorm(ir_model, None)
        assert not any(value.meta for node in ir_model.graph for value in node.outputs)


def test_rule_7_changes_nothing_that_is_written(conv, prepared):
    assert "normal" not in str(prepared(conv()).model)


def test_the_stale_parameters_go(conv, prepared):
    result = prepared(conv()).model
    assert sorted(tensor.name for tensor in result.graph.initializer) == ["Conv_0_bias", "w_folded"]
