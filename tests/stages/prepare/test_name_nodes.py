from __future__ import annotations

from onnxq.stages.prepare.name_nodes import name_nodes


def names(model):
    return [node.name for node in model.graph.node]


def test_rule_1_a_unique_name_stays_and_of_equal_names_the_first(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { [a] t = Relu(x) [b] u = Relu(t) [a] y = Relu(u) }")
    count, named = apply(name_nodes, model)
    assert (count, names(named)) == (1, ["a", "b", "a_1"])


def test_rule_2_an_unnamed_node_is_called_after_its_operator(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { t = Relu(x) u = Relu(t) y = Neg(u) }")
    count, named = apply(name_nodes, model)
    assert (count, names(named)) == (3, ["Relu_0", "Relu_1", "Neg_0"])


def test_rule_2_a_new_name_avoids_every_name_there_is(apply, parse):
    model = parse("g (float[2] x) => (float[2] Relu_0) { t = Relu(x) [Relu_1] u = Relu(t) Relu_0 = Relu(u) }")
    assert len({*names(apply(name_nodes, model)[1]), "Relu_0"}) == 4


def test_rule_3_nodes_in_bodies_are_named_and_local_functions_left(apply, parse):
    model = parse(
        """g (float[2] x, bool c) => (float[2] y) {
             y = If(c) <then_branch = a () => (float[2] t) { t = local.f(x) },
                        else_branch = b () => (float[2] e) { e = Relu(x) }>
           }
           <domain: "local", opset_import: ["": 17]> f (a) => (b) { b = Relu(a) }"""
    )
    count, named = apply(name_nodes, model)
    bodies = [attribute.g for attribute in named.graph.node[0].attribute]
    assert count == 3
    assert {body.node[0].name for body in bodies} == {"f_0", "Relu_0"}
    assert named.functions[0].node[0].name == ""


def test_value_names_never_change(apply, parse):
    model = parse("g (float[2] x) => (float[2] y) { [a] t = Relu(x) [a] y = Relu(t) }")
    named = apply(name_nodes, model)[1]
    assert [list(node.output) for node in named.graph.node] == [["t"], ["y"]]
