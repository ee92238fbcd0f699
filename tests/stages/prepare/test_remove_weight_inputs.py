from __future__ import annotations

from onnxq.stages.prepare.remove_weight_inputs import remove_weight_inputs


def test_a_weight_that_is_an_input_becomes_a_plain_initializer(apply, parse):
    model = parse("g (float[2] x, float[2] w = {1, 2}) => (float[2] y) { y = Add(x, w) }", opset=7, ir_version=3)
    assert [value.name for value in model.graph.input] == ["x", "w"]
    count, plain = apply(remove_weight_inputs, model)
    assert count == 1
    assert [value.name for value in plain.graph.input] == ["x"]
    assert [tensor.name for tensor in plain.graph.initializer] == ["w"]


def test_inputs_without_a_default_stay_in_their_order(apply, parse):
    model = parse("g (float[2] x, float[2] w = {1, 2}, float[2] z) => (float[2] y) { y = Sum(x, w, z) }")
    assert [value.name for value in apply(remove_weight_inputs, model)[1].graph.input] == ["x", "z"]


def test_rule_1_the_parameters_of_a_body_stay(apply, parse):
    model = parse(
        """g (float[2] x, int64 n, bool c) => (float[2] y) {
             y = Loop(n, c, x) <body = b (int64 i, bool go, float[2] s) => (bool on, float[2] t) {
               on = Identity(go)
               t = Relu(s)
             }>
           }"""
    )
    count, same = apply(remove_weight_inputs, model)
    assert count == 0
    assert len(same.graph.node[0].attribute[0].g.input) == 3
