from __future__ import annotations

import pytest

from onnxq.errors import ModelError
from onnxq.stages.prepare.upgrade_opset import upgrade_opset
from onnxq.stages.prepare.upgrades import NEWEST


def imports(owner):
    return {entry.domain: entry.version for entry in owner.opset_import}


def ops(nodes):
    return [node.op_type for node in nodes]


@pytest.mark.parametrize(("before", "wanted", "after"), [(13, 19, 19), (19, 19, 19), (21, 19, 21), (13, 21, 21)])
def test_rule_1_the_opset_is_at_least_what_is_asked_for(apply, parse, before, wanted, after):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) }", opset=before)
    assert imports(apply(upgrade_opset, model, wanted)[1])[""] == after


def test_rule_1_beyond_what_is_known_is_refused(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    with pytest.raises(ModelError, match=f"Cannot upgrade opset 17 to {NEWEST + 1}: what changed is known up to opset"):
        apply(upgrade_opset, model, NEWEST + 1)


def test_rule_2_only_changed_nodes_are_edited(apply, parse):
    model = parse("g (float[2, 3] x) => (float[] y) { [r] t = Relu(x) [m] y = ReduceMean<axes = [1]>(t) }")
    count, upgraded = apply(upgrade_opset, model)
    assert count == 1
    assert [(node.name, node.op_type) for node in upgraded.graph.node] == [
        ("r", "Relu"),
        ("m_Constant", "Constant"),
        ("m", "ReduceMean"),
    ]
    assert list(upgraded.graph.node[2].output) == ["y"]


def test_rule_3_bodies_are_upgraded_with_the_model(parse, prepared):
    model = parse(
        """g (float[2, 3] x, bool c) => (float[] y) {
             y = If(c) <then_branch = a () => (float[] t) { t = Softmax<axis = 0>(x) },
                        else_branch = b () => (float[] e) { e = Clip<min = 0.0>(x) }>
           }""",
        opset=9,
    )
    bodies = {a.name: ops(a.g.node) for a in prepared(model).model.graph.node[0].attribute}
    assert bodies == {
        "then_branch": ["Shape", "Flatten", "Softmax", "Reshape"],
        "else_branch": ["Constant", "Clip"],
    }


FUNCTION = '<domain: "local", opset_import: ["": 11]> f <axes> (a) => (b) {{ b = ReduceSum<axes: ints = {}>(a) }}'


def test_rule_4_local_functions_are_upgraded_from_the_opset_they_import(parse, prepared):
    model = parse("g (float[2, 3] x) => (float[] y) { y = local.f(x) }" + FUNCTION.format("[1]"), opset=11)
    (function,) = prepared(model).model.functions
    assert imports(function)[""] == 19
    assert ops(function.node) == ["Constant", "ReduceSum"]


def test_rule_4_an_attribute_of_the_function_that_became_an_input_is_refused(parse, prepared):
    model = parse(
        "g (float[2, 3] x) => (float[] y) { y = local.f<axes = [1]>(x) }" + FUNCTION.format("@axes"), opset=11
    )
    with pytest.raises(ModelError, match=r"takes 'axes' from an attribute of its local function.*Inline the functions"):
        prepared(model)


def test_rule_5_other_domains_stay_as_they_are(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = local.Clip<min = 0.5>(x) }", opset=10)
    count, upgraded = apply(upgrade_opset, model)
    assert (count, imports(upgraded)) == (0, {"": 19, "local": 1})
    assert upgraded.graph.node[0] == model.graph.node[0]


def test_rule_5_an_operator_that_onnx_does_not_know_stays_as_it_is(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { y = ATen<k = 1>(x) }", opset=10)
    assert apply(upgrade_opset, model)[0] == 0


@pytest.mark.parametrize(("before", "after"), [(3, 9), (9, 9), (11, 11)])
def test_rule_6_the_ir_version_is_new_enough_for_the_opset(apply, parse, before, after):
    model = parse("g (float[2] x) => (float[2] y) { y = Relu(x) }", opset=13, ir_version=before)
    assert apply(upgrade_opset, model)[1].ir_version == after
