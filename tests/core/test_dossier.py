"""What follows from a plan: what each node computes in, and how much of the work is in INT8."""

from __future__ import annotations

import numpy as np

from onnxq.core.comparison import Layer
from onnxq.core.dossier import INSIDE, INT8, OTHER, Dossier
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import READ_BACK, Decision, Plan
from onnxq.core.spec import Spec

NODES = (
    Node("conv", "Conv", ("x", "w"), ("a",)),
    Node("relu", "Relu", ("a",), ("b",)),
    Node("shape", "Shape", ("b",), ("s",)),
    Node("exp", "Exp", ("b",), ("y",)),
)
VIEW = GraphView(NODES, ("x",), ("y",), {"w": np.zeros(1)}, {}, {"a": "float32", "b": "float32", "s": "int64"})


def decision(tensor, node, spec, reason="because"):
    return Decision(Site(tensor, node, 0), spec, reason, "guide")


PLAN = Plan("t", "f", (decision("x", "conv", Spec("int8")), decision("b", "exp", None, "no rule")))
DOSSIER = Dossier("m", VIEW, PLAN, inside={"relu": "conv"}, macs={"conv": 90, "exp": 10})


def test_each_node_computes_in_something():
    assert [DOSSIER.kind(node) for node in NODES] == [INT8, INSIDE, OTHER, "FP32"]
    assert [node.name for node in DOSSIER.floats] == ["exp"]


def test_the_share_is_that_of_the_multiplications():
    assert DOSSIER.share == 0.9


def test_without_shapes_there_is_no_share():
    assert Dossier("m", VIEW, PLAN, {}, {"conv": 0}).share is None


def test_who_only_reads_integers_back_computes_in_float():
    back = Plan("t", "f", (decision("b", "exp", Spec("int8"), READ_BACK),))
    assert Dossier("m", VIEW, back, {}, {}).kind(NODES[3]) == "FP32"


def test_refusals_stand_by_node():
    assert {name: [d.reason for d in rows] for name, rows in DOSSIER.refusals.items()} == {"exp": ["no rule"]}


def test_the_error_of_a_node_is_that_of_its_worst_tensor():
    two = GraphView((Node("split", "Split", ("x",), ("a", "b")),), ("x",), ("a", "b"), {}, {}, {})
    layers = tuple(Layer(name, "split", "Split", {"sqnr": sqnr}, 50.0) for name, sqnr in (("a", 30.0), ("b", 20.0)))
    found = Dossier("m", two, Plan("t", "f", ()), {}, {}, layers=layers)
    assert found.errors["split"].tensor == "b"
