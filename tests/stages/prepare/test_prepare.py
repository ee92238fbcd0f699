"""The stage as a whole: what it promises for every model, and the models that are unusual."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from onnxq.errors import ModelError, PrepareError
from onnxq.stages.prepare import PASSES, Note, prepare


def ops(model):
    return [node.op_type for node in model.graph.node]


@pytest.fixture
def exported(parse):
    """What an old exporter writes: IR 3, opset 9, unnamed nodes, Constants, Dropout, shape arithmetic."""
    model = parse(
        """g (float[2, 3, 4, 4] x, float[5, 3, 3, 3] w, float[5] a = {1, 2, 3, 4, 5}) => (float[2, 5] y) {
             p = Conv(x, w)
             n = BatchNormalization(p, a, a, a, a)
             d, mask = Dropout(n)
             i = Identity(d)
             pool = GlobalAveragePool(i)
             s = Shape(pool)
             zero = Constant<value = int64 {0}>()
             batch = Gather<axis = 0>(s, zero)
             u = Unsqueeze<axes = [0]>(batch)
             m = Constant<value = int64[1] {-1}>()
             t = Concat<axis = 0>(u, m)
             f = Reshape(pool, t)
             y = Softmax(f)
           }""",
        opset=9,
        ir_version=3,
    )
    weight = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(from_array(weight, "w"))
    return model


def test_an_old_export_comes_out_modern(exported, prepared):
    model = prepared(exported).model
    assert ops(model) == ["Conv", "GlobalAveragePool", "Reshape", "Softmax"]
    assert [value.name for value in model.graph.input] == ["x"]
    assert [node.name for node in model.graph.node] == ["Conv_0", "GlobalAveragePool_0", "Reshape_0", "Softmax_0"]
    assert (model.ir_version, model.opset_import[0].version) == (9, 19)


def test_a_note_tells_what_each_pass_did(exported, prepared):
    notes = {note.name: note.count for note in prepared(exported).changed}
    shapes = notes.pop("infer_shapes")
    assert notes == {
        "name_nodes": 13,
        "remove_weight_inputs": 2,
        "lift_constants": 2,
        "fold_constants": 4,
        "upgrade_opset": 3,
        "remove_identities": 2,
        "fold_batchnorm": 1,
    }
    assert shapes > 5


def test_a_prepared_model_is_prepared_already(exported, prepared):
    once = prepared(exported).model
    again = prepared(once)
    assert again.changed == ()
    assert again.model == once


def test_the_notes_count_what_was_left_alone(parse, evaluate):
    model = parse(
        """g (float[2] x, bool c) => (float[2] y) {
             z = local.f(x)
             w = elsewhere.op(z)
             y = If(c) <then_branch = a () => (float[2] t) { t = Relu(w) },
                        else_branch = b () => (float[2] e) { e = Neg(w) }>
           }
           <domain: "local", opset_import: ["": 19]> f (a) => (b) { b = Relu(a) }""",
        opset=19,
    )
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    notes = prepare(model, evaluate).intact
    assert Note("bodies", 3, "bodies of If, Loop and Scan, and local functions, are not quantized") in notes
    assert Note("custom_nodes", 2, "nodes of other domains are left as they are") in notes
    assert Note("unknown_shapes", 1, "values have no shape that inference could find") in notes


def test_every_pass_is_named_after_its_function():
    assert all(step.name == step.run.__name__ for step in PASSES)


def test_everything_else_in_the_file_survives(parse, prepared):
    model = parse("g (float[2] x) => (float[2] y) { [a] t = Relu(x) [b] y = Neg(t) }")
    model.producer_name, model.producer_version, model.domain = "exporter", "1.0", "org.example"
    model.model_version, model.doc_string, model.graph.doc_string = 3, "a model", "a graph"
    helper.set_model_props(model, {"key": "value"})
    model.graph.node[0].doc_string = "a node"
    model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, [2], "a value"))
    model.training_info.add().algorithm.name = "training"
    for node in model.graph.node:
        node.ClearField("domain")  # the parser sets it to ""
    after = prepared(model).model
    for field in ("producer_name", "producer_version", "domain", "model_version", "doc_string", "training_info"):
        assert getattr(after, field) == getattr(model, field)
    assert after.metadata_props == model.metadata_props
    assert after.graph == model.graph


def test_a_model_without_nodes(evaluate):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    model = helper.make_model(helper.make_graph([], "empty", [x], [x]), opset_imports=[helper.make_opsetid("", 17)])
    assert prepare(model, evaluate).model.graph == model.graph


@pytest.mark.parametrize("element", ["float16", "double", "bfloat16"])
def test_other_float_types_pass(element, parse, evaluate):
    text = """<{0}[4, 3, 1, 1] w = {{1,2,3,4,5,6,7,8,9,10,11,12}}, {0}[4] a = {{1, 2, 3, 4}}> {{
                c = Conv(x, w) n = BatchNormalization(c, a, a, a, a) y = Clip<min = 0.0>(n) }}"""
    model = parse(f"g ({element}[N, 3, 2, 2] x) => ({element}[] y) " + text.format(element), opset=10)
    result = prepare(model, evaluate).model
    assert ops(result) == ["Conv", "Clip"]
    assert {tensor.data_type for tensor in result.graph.initializer} == {
        model.graph.input[0].type.tensor_type.elem_type
    }


def test_optional_and_sequence_types_pass(parse, evaluate):
    model = parse(
        """g (float[2] x, optional(seq(float[2])) o, seq(float[2]) q) => (float[2] y, seq(float[2]) r) <int64 i = {0}> {
             s = OptionalGetElement(o) e = SequenceAt(s, i) y = Add(x, e) t = Identity(q) r = SequenceInsert(t, x)
           }""",
        opset=18,
    )
    result = prepare(model, evaluate).model
    onnx.checker.check_model(result, full_check=True)
    assert [value.type for value in result.graph.input] == [value.type for value in model.graph.input]


def test_a_sparse_initializer_is_refused(parse, evaluate):
    model = parse("g (float[3] x) => (float[3] y) { y = Add(x, w) }")
    model.graph.sparse_initializer.append(sparse_tensor("w"))
    with pytest.raises(ModelError, match=r"Weight 'w' is a sparse initializer\. Store it dense"):
        prepare(model, evaluate)


def test_a_sparse_constant_is_refused(evaluate):
    constant = helper.make_node("Constant", [], ["w"], sparse_value=sparse_tensor(""))
    y = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])
    with pytest.raises(ModelError, match="cannot be read: Sparse tensors are not supported"):
        prepare(helper.make_model(helper.make_graph([constant], "g", [], [y])), evaluate)


def sparse_tensor(name):
    values = helper.make_tensor(name, TensorProto.FLOAT, [1], [2.0])
    return helper.make_sparse_tensor(values, helper.make_tensor("", TensorProto.INT64, [1], [1]), [3])


def test_a_value_that_two_nodes_produce_is_refused(parse, evaluate):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) y = Neg(x) }")
    with pytest.raises(ModelError, match="cannot be read: Output 'y' is redeclared"):
        prepare(model, evaluate)


def test_a_pass_that_fails_says_which_it_was(parse, evaluate):
    model = parse("g (float[2] x) => (float[2] y) { y = BatchNormalization() }", opset=19)
    with pytest.raises(PrepareError, match=r"fold_batchnorm failed: .* The model may be invalid: try onnx\.checker"):
        prepare(model, evaluate)


def test_weights_left_in_their_file_are_refused(parse, evaluate, tmp_path):
    model = parse("g (float[300] x) => (float[300] y) { y = Add(x, w) }")
    model.graph.initializer.append(from_array(np.ones(300, np.float32), "w"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    skeleton = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    with pytest.raises(ModelError, match=r"Weight 'w' is still in the file 'weights'\. Load it first"):
        prepare(skeleton, evaluate)
    prepare(onnx.load(tmp_path / "m.onnx"), evaluate)
