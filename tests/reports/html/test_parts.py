"""Large graphs are drawn as runs of nodes: nothing is lost, nothing runs upwards."""

from __future__ import annotations

import pytest

from onnxq.core.dossier import Dossier
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import Spec
from onnxq.reports.html.parts import parts_of


def dossier(nodes, *integers):
    view = GraphView(tuple(nodes), ("x",), ("y",), {}, {}, {})
    tensors = {node.name: node.inputs[0] for node in nodes}
    plan = Plan("t", "f", tuple(Decision(Site(tensors[n], n, 0), Spec("int8"), "", "") for n in integers))
    return Dossier("m", view, plan, {}, {})


def chain(*names):
    return [Node(name, "Op", (before,), (name,)) for before, name in zip(("x", *names), names, strict=False)]


def boxes(parts):
    return [[node.name for node in box.nodes] for box in parts.boxes]


def test_a_small_graph_is_drawn_node_by_node():
    found = parts_of(dossier(chain("a", "b", "c"), "b"))
    assert boxes(found) == [["a"], ["b"], ["c"]]
    assert found.edges == {(0, 1): True, (1, 2): False}
    assert found.whole


def test_runs_of_one_kind_are_one_box():
    found = parts_of(dossier(chain("a", "b", "c", "d"), "c"), most=3)
    assert boxes(found) == [["a", "b"], ["c"], ["d"]]
    assert [box.kind for box in found.boxes] == ["FP32", "INT8", "FP32"]
    assert not found.whole


def test_if_these_are_too_many_runs_of_any_kind_are():
    (box,) = parts_of(dossier(chain("a", "b", "c", "d"), "c"), most=1).boxes
    assert box.kind == "mixed"
    assert len(box.nodes) == 4


def diamonds(count):
    nodes = []
    for number in range(count):
        top = f"join{number - 1}" if number else "x"
        nodes += [Node(f"{side}{number}", "Op", (top,), (f"{side}{number}",)) for side in ("left", "right")]
        nodes.append(Node(f"join{number}", "Op", (f"left{number}", f"right{number}"), (f"join{number}",)))
    return nodes


@pytest.mark.parametrize("most", [2, 4, 5, 100])
def test_no_node_is_lost_and_edges_run_downwards(most):
    nodes = diamonds(4)
    found = parts_of(dossier(nodes), most)
    assert sorted(name for box in boxes(found) for name in box) == sorted(node.name for node in nodes)
    assert all(start < end for start, end in found.edges)


def test_what_branches_everywhere_is_cut_where_one_tensor_crosses():
    assert boxes(parts_of(dossier(diamonds(3)), most=5)) == [
        ["left0", "right0", "join0"],
        ["left1", "right1", "join1"],
        ["left2", "right2", "join2"],
    ]


def test_thousands_of_branches_are_few_boxes():
    assert 100 <= len(parts_of(dossier(diamonds(1000))).boxes) <= 300
