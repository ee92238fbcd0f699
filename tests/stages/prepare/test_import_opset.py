from __future__ import annotations

import onnx
import pytest

from onnxq.errors import ModelError
from onnxq.stages.prepare.import_opset import import_opset


def imports(owner):
    return {entry.domain: entry.version for entry in owner.opset_import}


def test_rule_1_ai_onnx_is_spelt_as_the_empty_domain_also_in_functions(apply, parse):
    model = parse(
        """g (float[2] x) => (float[2] y) { y = local.f(x) }
           <domain: "local", opset_import: ["ai.onnx": 17]> f (a) => (b) { b = Relu(a) }"""
    )
    model.opset_import[0].domain = "ai.onnx"
    count, imported = apply(import_opset, model)
    assert count == 2
    assert imports(imported) == {"": 17, "local": 1}
    assert imports(imported.functions[0]) == {"": 17}


def test_rule_2_a_model_of_custom_nodes_only_gets_the_opset_asked_for(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = local.op(x) }")
    del model.opset_import[0]
    count, imported = apply(import_opset, model, opset=21)
    assert count == 1
    assert imports(imported) == {"": 21, "local": 1}


def test_rule_3_an_opset_below_7_is_refused(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) }", opset=6)
    with pytest.raises(ModelError, match=r"imports ai\.onnx opset 6; 7 is the oldest .* Export with opset 13 or newer"):
        apply(import_opset, model)


def test_rule_3_standard_nodes_without_an_import_are_refused(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    del model.opset_import[0]
    with pytest.raises(ModelError, match=r"imports no ai\.onnx opset"):
        apply(import_opset, model)


def test_an_ordinary_import_stays(apply):
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [x], [x]))
    assert apply(import_opset, model)[0] == 0
