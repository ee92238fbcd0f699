from __future__ import annotations

import pytest

from onnxq.stages.prepare.remove_identities import remove_identities


def ops(model):
    return [node.op_type for node in model.graph.node]


def test_rule_1_identities_in_bodies_and_of_other_domains_stay(apply, parse):
    model = parse(
        """g (float[2] x, bool c) => (float[2] y) {
             z = local.Identity(x)
             y = If(c) <then_branch = a () => (float[2] t) { t = Identity(z) },
                        else_branch = b () => (float[2] e) { e = Relu(z) }>
           }
           <domain: "local", opset_import: ["": 17]> Identity (a) => (b) { b = Relu(a) }"""
    )
    assert apply(remove_identities, model)[0] == 0


@pytest.mark.parametrize(
    ("text", "opset", "left"),
    [
        ("t = Dropout(x) y = Relu(t)", 7, ["Relu"]),
        ("t, mask = Dropout<ratio = 0.3>(x) y = Relu(t)", 10, ["Relu"]),
        ("t = Dropout(x, r) y = Relu(t)", 13, ["Relu"]),
        ("t = Dropout(x, r, off) y = Relu(t)", 13, ["Relu"]),
        ("t = Dropout(x, , off) y = Relu(t)", 13, ["Relu"]),
        ("t = Dropout(x, r, on) y = Relu(t)", 13, ["Dropout", "Relu"]),
        ("k = Not(off) t = Dropout(x, r, k) y = Relu(t)", 13, ["Not", "Dropout", "Relu"]),
        ("t, m = Dropout(x) f = Cast<to = 1>(m) y = Add(t, f)", 13, ["Dropout", "Cast", "Add"]),
    ],
)
def test_rule_2_only_a_dropout_in_inference_mode_goes(apply, parse, text, opset, left):
    weights = "<float r = {0.5}, bool on = {1}, bool off = {0}>"
    assert (
        ops(apply(remove_identities, parse(f"g (float[2] x) => (float[2] y) {weights} {{ {text} }}", opset))[1]) == left
    )


def test_rule_3_readers_in_bodies_read_the_source(parse, prepared):
    model = parse(
        """g (float[2] x, bool c) => (float[2] y) {
             r = Relu(x)
             z = Identity(r)
             y = If(c) <then_branch = a () => (float[2] t) { t = Neg(z) },
                        else_branch = b () => (float[2] e) { e = Exp(z) }>
           }"""
    )
    assert ops(prepared(model).model) == ["Relu", "If"]


def test_rule_4_the_producer_takes_over_the_name_of_a_graph_output(parse, prepared):
    model = parse("g (float[2] x) => (float[2] y, float[2] z) { t = Relu(x) y = Identity(t) z = Neg(t) }")
    result = prepared(model).model
    assert ops(result) == ["Relu", "Neg"]
    assert (list(result.graph.node[0].output), list(result.graph.node[1].input)) == (["y"], ["y"])


@pytest.mark.parametrize(
    "text",
    [
        "y = Identity(x) z = Neg(x)",  # a graph input would be a graph output
        "y = Identity(w) z = Neg(x)",  # an initializer would be one
        "z = Relu(x) y = Identity(z)",  # one value would be two outputs
    ],
)
def test_rule_5_inputs_initializers_and_outputs_are_neither_renamed_nor_merged(parse, prepared, text):
    model = parse(f"g (float[2] x) => (float[2] y, float[2] z) <float[2] w = {{1, 2}}> {{ {text} }}")
    assert "Identity" in ops(prepared(model).model)


def test_rule_4_of_two_identities_of_one_value_one_stays(parse, prepared):
    model = parse("g (float[2] x) => (float[2] y, float[2] z) { t = Relu(x) y = Identity(t) z = Identity(t) }")
    assert ops(prepared(model).model) == ["Relu", "Identity"]


def test_a_chain_of_identities_goes_as_a_whole(parse, prepared):
    model = parse("g (float[2] x) => (float[2] y) { a = Identity(x) b = Identity(a) y = Relu(b) }")
    assert ops(prepared(model).model) == ["Relu"]
