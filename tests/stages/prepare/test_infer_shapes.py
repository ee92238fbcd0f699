from __future__ import annotations

import numpy as np
import onnx

from onnxq.stages.prepare.infer_shapes import infer_shapes


def dims(model):
    values = [*model.graph.value_info, *model.graph.output]
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def test_unknown_shapes_and_types_are_filled_in(apply, parse):
    model = parse(
        "g (float[N, 3] x) => (float[] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> { t = MatMul(x, w) y = Relu(t) }"
    )
    count, inferred = apply(infer_shapes, model)
    assert count == 2
    assert (dims(inferred)["t"], dims(inferred)["y"]) == (["N", 2], ["N", 2])


def test_rule_1_what_the_model_declares_stays(apply, parse):
    model = parse("g (float[N, 3] x) => (float[batch, 3] y) { t = Relu(x) y = Relu(t) }")
    model.graph.value_info.append(onnx.helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, [7, 3]))
    inferred = apply(infer_shapes, model)[1]
    assert (dims(inferred)["t"], dims(inferred)["y"]) == ([7, 3], ["batch", 3])


def test_rule_2_open_dimensions_get_numbers_and_names_of_the_model_but_no_invented_ones(apply, parse):
    model = parse("g (float[N, 3] x) => (float[?, ?] y, int64[2, ?] z) { y = Relu(x) z = NonZero(x) }")
    inferred = apply(infer_shapes, model)[1]
    assert (dims(inferred)["y"], dims(inferred)["z"]) == (["N", 3], [2, 0])  # 0: neither name nor number


def test_rule_3_shapes_behind_large_weights_are_inferred_and_the_weights_kept(apply, parse):
    model = parse("g (float[2, 1000] x) => (float[] y) { y = MatMul(x, w) }")
    weight = np.ones((1000, 5), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    inferred = apply(infer_shapes, model)[1]
    assert dims(inferred)["y"] == [2, 5]
    assert [value.name for value in inferred.graph.input] == ["x"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(inferred.graph.initializer[0]), weight)


def test_rule_3_the_target_of_a_reshape_is_read(apply, parse):
    model = parse("g (float[6] x) => (float[] y) <int64[2] s = {2, -1}> { y = Reshape(x, s) }")
    assert dims(apply(infer_shapes, model)[1])["y"] == [2, 3]


def test_rule_4_a_model_that_inference_refuses_passes(apply, parse):
    model = parse("g (float[2, 3] x) => (float[] y) { y = Concat(x, x) }")  # axis is missing
    assert apply(infer_shapes, model)[0] == 0


def test_bodies_are_inferred_too(apply, parse):
    model = parse(
        """g (float[2, 3] x, bool c) => (float[] y) {
             y = If(c) <then_branch = a () => (float[] t) { u = Transpose(x) t = Relu(u) },
                        else_branch = b () => (float[] e) { e = Transpose(x) }>
           }"""
    )
    body = next(a.g for a in apply(infer_shapes, model)[1].graph.node[0].attribute if a.name == "then_branch")
    assert [d.dim_value for d in body.value_info[0].type.tensor_type.shape.dim] == [3, 2]


def test_a_sequence_keeps_its_type(apply, parse):
    model = parse("g (float[2] x) => (float[] y) <int64 i = {0}> { s = SequenceConstruct(x, x) y = SequenceAt(s, i) }")
    inferred = apply(infer_shapes, model)[1]
    sequence = next(value for value in inferred.graph.value_info if value.name == "s")
    assert sequence.type.WhichOneof("value") == "sequence_type"
