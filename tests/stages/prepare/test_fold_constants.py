from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxq.errors import RuntimeFailure
from onnxq.stages.prepare import Context, prepare
from onnxq.stages.prepare.fold_constants import fold_constants
from onnxq.stages.prepare.infer_shapes import infer_shapes

WEIGHTS = "<float[2] a = {1, 2}, float[2] b = {3, 4}>"


@pytest.fixture
def fold(apply):
    """Infers shapes and folds: how many nodes went, and the model."""

    def infer_and_fold(model, context):
        infer_shapes(model, context)
        return fold_constants(model, context)

    return lambda model: apply(infer_and_fold, model)


def ops(model):
    return [node.op_type for node in model.graph.node]


def weights(model):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_a_chain_of_constants_becomes_one_initializer_of_the_same_name(fold, parse):
    count, folded = fold(
        parse(f"g (float[2] x) => (float[2] y) {WEIGHTS} {{ s = Add(a, b) t = Neg(s) y = Mul(x, t) }}")
    )
    assert (count, ops(folded)) == (2, ["Mul"])
    assert list(weights(folded)) == ["t"]  # rule 8: a, b and s are gone
    np.testing.assert_array_equal(weights(folded)["t"], [-4, -6])


@pytest.mark.parametrize(
    "text",
    [
        "t = RandomNormalLike(a) y = Add(x, t)",
        "t = local.f(a) y = Add(x, t)",
        "t = Add(a, x) y = Add(x, t)",
        "t = RandomUniform<shape = [2]>() y = Add(x, t)",
    ],
)
def test_rule_1_random_custom_and_computed_nodes_stay(fold, parse, text):
    model = parse(f"g (float[2] x) => (float[2] y) {WEIGHTS} {{ {text} }}")
    assert fold(model)[0] == 0


def test_rule_1_a_node_with_bodies_stays_and_bodies_read_folded_values(parse, prepared):
    model = parse(
        f"""g (float[2] x) => (float[2] y) {WEIGHTS.replace(">", ", bool c = {1}>")} {{
             s = Add(a, b)
             y = If(c) <then_branch = t () => (float[2] t) {{ t = Add(x, s) }},
                        else_branch = e () => (float[2] e) {{ e = Sub(x, s) }}>
           }}"""
    )
    assert ops(prepared(model).model) == ["If"]


def test_rule_2_q_dq_of_a_weight_stays(fold, parse):
    model = parse(
        """g (float[2] x) => (float[2] y) <int8[2] q = {1, 2}, float s = {0.5}, float[2] w = {1, 2}> {
             d = DequantizeLinear(q, s) p = QuantizeLinear(w, s) e = DequantizeLinear(p, s) y = Sum(x, d, e)
           }"""
    )
    assert fold(model)[0] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s = Shape(r)", None),  # the first dimension is not static
        ("s = Shape<start = 1>(r)", [3, 4]),
        ("s = Shape<start = -2, end = -1>(r)", [3]),
        ("s = Shape<start = 1, end = 2>(r)", [3]),
        ("s = Size(r)", None),
        ("u = Transpose(w) s = Size(u)", 2),
    ],
)
def test_rule_3_shape_and_size_fold_when_what_they_read_is_static(fold, parse, text, expected):
    model = parse(f"g (float[N, 3, 4] x) => (int64[] y) <float[2] w = {{1, 2}}> {{ r = Relu(x) {text} y = Neg(s) }}")
    folded = fold(model)[1]
    if expected is None:
        assert ops(folded)[-2:] in (["Shape", "Neg"], ["Size", "Neg"])
    else:
        assert "y" in {output for node in folded.graph.node for output in node.output}
        np.testing.assert_array_equal(weights(folded)["s"], expected)


def test_rule_3_a_chain_over_a_static_shape_folds(parse, prepared):
    model = parse(
        """g (float[2, 3, 4] x) => (float[] y) <int64[1] m = {-1}, int64 z = {0}, int64[1] a = {0}> {
             s = Shape(x) n = Gather(s, z) u = Unsqueeze(n, a) t = Concat<axis = 0>(u, m) y = Reshape(x, t)
           }"""
    )
    result = prepared(model).model
    assert ops(result) == ["Reshape"]
    assert list(weights(result)) == ["t"]
    assert [d.dim_value for d in result.graph.output[0].type.tensor_type.shape.dim] == [2, 12]


def test_rule_4_sequences_strings_and_bfloat16_stay_computed(parse, prepared):
    model = parse(
        f"""g (float[2] x) => (float[2] y) {WEIGHTS.replace(">", ", int64 i = {0}>")} {{
             q = SequenceConstruct(a, b) e = SequenceAt(q, i)
             s = Cast<to = 8>(a) n = Cast<to = 1>(s)
             h = Cast<to = 16>(a) f = Cast<to = 1>(h)
             y = Sum(x, e, n, f)
           }}"""
    )
    left = ops(prepared(model).model)
    assert [op for op in left if op != "Sum"] == ["SequenceConstruct", "SequenceAt", "Cast", "Cast", "Cast", "Cast"]


def test_rule_5_a_result_that_would_swell_the_file_stays_computed(fold, parse):
    model = parse("g (float[N] x) => (float[] y) <int64[1] n = {1000000}> { z = ConstantOfShape(n) y = Add(x, z) }")
    assert fold(model)[0] == 0
    model = parse("g (float[N] x) => (float[] y) <int64[1] n = {1000}> { z = ConstantOfShape(n) y = Add(x, z) }")
    assert fold(model)[0] == 1


def test_rule_5_a_large_weight_may_be_transposed(fold, parse):
    model = parse("g (float[600] x) => (float[] y) { t = Transpose(w) y = MatMul(x, t) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((700, 600), np.float32), "w"))
    assert fold(model)[0] == 1


def test_rule_6_a_constant_graph_output_stays_produced_by_a_node(fold, parse):
    model = parse(
        f"g (float[2] x) => (float[2] y, float[2] s) {WEIGHTS} {{ n = Neg(a) s = Add(n, b) t = Exp(s) y = Mul(x, t) }}"
    )
    count, folded = fold(model)
    assert (count, ops(folded)) == (2, ["Add", "Mul"])


def test_rule_7_all_is_evaluated_in_one_call(parse, evaluate):
    calls = []
    model = parse(
        f"g (float[2] x) => (float[2] y) {WEIGHTS} {{ s = Add(a, b) t = Neg(s) u = Exp(a) y = Sum(x, t, u) }}"
    )
    prepare(model, lambda part: calls.append(part) or evaluate(part))
    assert [len(part.graph.node) for part in calls] == [3]


def test_rule_7_what_the_runtime_refuses_stays_and_the_rest_folds(parse, evaluate):
    def without_exp(part):
        if any(node.op_type == "Exp" for node in part.graph.node):
            raise RuntimeFailure("no kernel for Exp")
        return evaluate(part)

    model = parse(
        f"g (float[2] x) => (float[2] y) {WEIGHTS} {{ s = Add(a, b) t = Exp(s) u = Neg(t) y = Sum(x, s, u) }}"
    )
    assert ops(prepare(model, without_exp).model) == ["Exp", "Neg", "Sum"]


def test_rule_8_what_nothing_read_before_stays(fold, parse):
    weights_text = "<float[2] a = {1, 2}, float[2] unread = {3, 4}>"
    model = parse(f"g (float[2] x) => (float[2] y) {weights_text} {{ n = Neg(a) y = Add(x, n) d = Relu(x) }}")
    folded = fold(model)[1]
    assert sorted(weights(folded)) == ["n", "unread"]
    assert ops(folded) == ["Add", "Relu"]


def test_rule_8_nodes_that_only_a_folded_shape_read_go(fold, parse):
    model = parse("g (float[2, 3] x) => (float[] y) { t = Relu(x) u = Exp(t) s = Shape(u) y = Expand(x, s) }")
    count, folded = fold(model)
    assert (count, ops(folded)) == (1, ["Expand"])


def test_an_empty_optional_input_is_no_obstacle(parse, prepared):
    model = parse(
        "g (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float hi = {1.5}> { c = Clip(a, , hi) y = Add(x, c) }"
    )
    assert ops(prepared(model).model) == ["Add"]


def test_the_evaluated_model_has_the_opset_of_the_model(parse, evaluate):
    seen = []
    model = parse(f"g (float[2] x) => (float[2] y) {WEIGHTS} {{ s = Add(a, b) y = Add(x, s) }}", opset=20)
    prepare(model, lambda part: seen.append(part.opset_import[0].version) or evaluate(part))
    assert seen == [20]
    assert Context(evaluate, 19).opset == 19
