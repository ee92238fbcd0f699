"""Invariants: a model as it is written keeps them all, and each is missed when a hand breaks it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import PerAxis, Spec
from onnxq.errors import VerifyError
from onnxq.stages.verify import INVARIANTS, Written, check_structure

WEIGHT = Spec("int8", PerAxis(0), "weight")
SOURCE = GraphView(
    nodes=(
        Node("conv", "Conv", ("x", "w"), ("t",)),
        Node("join", "Add", ("t", "x"), ("u",)),
        Node("relu", "Relu", ("u",), ("y",)),
    ),
    inputs=("x",),
    outputs=("y",),
    constants={"w": np.ones((2, 1, 1, 1), np.float32)},
    shapes={},
    dtypes={},
)
PLAN = Plan(
    "tensorrt",
    "",
    decisions=(
        Decision(Site("x", "conv", 0), Spec("int8"), "because", "here"),
        Decision(Site("w", "conv", 1), WEIGHT, "because", "here"),
        Decision(Site("x", "join", 1), Spec("int8"), "because", "here"),
        Decision(Site("u", "relu", 0), None, "no reason", "here"),
    ),
    residuals=("join",),
)
GOOD = replace(
    SOURCE,
    nodes=(
        Node("q", "QuantizeLinear", ("x", "x_scale", "x_zero"), ("x_q",)),
        Node("dq", "DequantizeLinear", ("x_q", "x_scale", "x_zero"), ("x_dq",)),
        Node("w_dq!", "DequantizeLinear", ("w_q", "w_scale", "w_zero"), ("w_dq",), {"axis": 0}),
        Node("conv", "Conv", ("x_dq", "w_dq"), ("t",)),
        Node("join", "Add", ("t", "x_dq"), ("u",)),
        Node("relu", "Relu", ("u",), ("y",)),
    ),
    constants={
        "x_scale": np.array(0.1, np.float32),
        "x_zero": np.array(0, np.int8),
        "w_q": np.ones((2, 1, 1, 1), np.int8),
        "w_scale": np.float32([0.1, 0.2]),
        "w_zero": np.int8([0, 0]),
    },
)


def rewired(**inputs):
    """GOOD with other inputs of the nodes named."""
    return replace(GOOD, nodes=tuple(replace(n, inputs=inputs.get(n.name, n.inputs)) for n in GOOD.nodes))


def plus(*nodes, **inputs):
    view = rewired(**inputs)
    return replace(view, nodes=(*view.nodes[:3], *nodes, *view.nodes[3:]))


def without(name):
    return replace(GOOD, nodes=tuple(node for node in GOOD.nodes if node.name != name))


def holding(**constants):
    return replace(GOOD, constants={**GOOD.constants, **constants})


PAIRED = "Each QuantizeLinear has one DequantizeLinear for each type it is read in"
ONCE = "A tensor is quantized once"
SCALED = "Scales are constant, positive and finite"
ZEROS = "Zero points are as many as scales, and 0 for INT8"
SINGLE = "Activations have one scale"
DONE = "What the plan quantizes is quantized"
ONLY = "Nothing else is, so no fused chain is cut"
JOINED = "A residual join has one quantized operand"
FACE = "Inputs and outputs are those of the prepared model"

AGAIN = (
    Node("q2", "QuantizeLinear", ("x", "x_scale", "x_zero"), ("x_q2",)),
    Node("dq2", "DequantizeLinear", ("x_q2", "x_scale", "x_zero"), ("x_dq2",)),
)
T_PAIR = (
    Node("q3", "QuantizeLinear", ("t", "x_scale", "x_zero"), ("t_q",)),
    Node("dq3", "DequantizeLinear", ("t_q", "x_scale", "x_zero"), ("t_dq",)),
)

BROKEN = [
    (
        PAIRED,
        plus(Node("q2", "QuantizeLinear", ("t", "x_scale", "x_zero"), ("t_q",))),
        "QuantizeLinear 'q2' is read by nothing",
    ),
    (
        PAIRED,
        plus(Node("cast", "Cast", ("x_q",), ("c",))),
        r"QuantizeLinear 'q' is read by \['DequantizeLinear', 'Cast'\]",
    ),
    (PAIRED, plus(*AGAIN[1:], dq2=("x_q",)), "DequantizeLinear 'dq2' reads 'x_q2', which is no quantized tensor"),
    (
        PAIRED,
        plus(Node("dq2", "DequantizeLinear", ("x_q", "x_scale", "x_zero"), ("x_dq2",))),
        r"QuantizeLinear 'q' is read by \['DequantizeLinear', 'DequantizeLinear'\]",
    ),
    (PAIRED, without("q"), "DequantizeLinear 'dq' reads 'x_q', which is no quantized tensor"),
    (ONCE, plus(*AGAIN, join=("t", "x_dq2")), "'x' goes into QuantizeLinear 'q' and QuantizeLinear 'q2'"),
    (SCALED, holding(x_scale=np.float32(0)), "the scale 'x_scale' of QuantizeLinear 'q' is 0.0"),
    (SCALED, holding(x_scale=np.float32(-0.1)), "the scale 'x_scale' of DequantizeLinear 'dq' is -0.1"),
    (SCALED, holding(w_scale=np.float32([0.1, np.nan])), "the scale 'w_scale' of DequantizeLinear 'w_dq!' is nan"),
    (SCALED, holding(x_scale=np.float32(np.inf)), "the scale 'x_scale' of QuantizeLinear 'q' is inf"),
    (SCALED, rewired(q=("x", "u", "x_zero")), "the scale 'u' of QuantizeLinear 'q' is computed at run time"),
    (ZEROS, holding(x_zero=np.int8(1)), "that of QuantizeLinear 'q'"),
    (ZEROS, holding(w_zero=np.int8([0, 1])), "that of DequantizeLinear 'w_dq!'"),
    (ZEROS, holding(w_zero=np.array(0, np.int8)), "that of DequantizeLinear 'w_dq!'"),
    (ZEROS, rewired(q=("x", "x_scale")), "that of QuantizeLinear 'q'"),
    (ZEROS, rewired(q=("x", "x_scale", "t")), "that of QuantizeLinear 'q'"),
    (SINGLE, holding(x_scale=np.float32([0.1, 0.2]), x_zero=np.int8([0, 0])), "QuantizeLinear 'q' has 2 scales"),
    (SINGLE, holding(x_scale=np.float32([0.1]), x_zero=np.int8([0])), "QuantizeLinear 'q' has 1 scales"),
    (DONE, rewired(conv=("x", "w_dq")), r"input 0 of 'conv' \(tensor 'x'\) is read as it was"),
    (DONE, rewired(conv=("x_dq", "w")), r"input 1 of 'conv' \(tensor 'w'\) is read as it was"),
    (DONE, rewired(conv=("x_q", "w_dq")), r"input 0 of 'conv' \(tensor 'x'\) is read as it was"),
    (DONE, rewired(conv=()), r"input 0 of 'conv' \(tensor 'x'\) is read as it was"),
    (DONE, without("join"), r"input 1 of 'join' \(tensor 'x'\) is read as it was"),
    (ONLY, rewired(relu=("x_dq",)), "Relu 'relu' reads DequantizeLinear as input 0"),
    (JOINED, plus(*T_PAIR, join=("t_dq", "x_dq")), "Add 'join' has 2"),
    (JOINED, rewired(join=("t", "x")), "Add 'join' has 0"),
    (FACE, replace(GOOD, inputs=("x", "z")), r"the inputs were \('x',\) and are \('x', 'z'\)"),
    (FACE, replace(GOOD, outputs=("y", "u")), r"the outputs were \('y',\) and are \('y', 'u'\)"),
]


def test_a_good_model_passes():
    check_structure(Written(GOOD, PLAN, SOURCE))


def test_readers_of_two_types_have_a_dequantizer_each():
    low = Node("dq_low", "DequantizeLinear", ("x_q", "x_scale_fp16", "x_zero"), ("x_dq_low",))
    view = plus(low, join=("t", "x_dq_low"))
    scale = np.array(0.1, np.float16)
    check_structure(Written(replace(view, constants={**view.constants, "x_scale_fp16": scale}), PLAN, SOURCE))


def test_a_model_of_which_nothing_is_quantized_passes():
    check_structure(Written(SOURCE, PLAN.without(["conv", "join"]), SOURCE))


@pytest.mark.parametrize(("promise", "view", "place"), BROKEN, ids=[f"{p}-{i}" for i, (p, _, _) in enumerate(BROKEN)])
def test_a_broken_model_is_refused_with_the_promise_and_the_place(promise, view, place):
    row = next(row for row in INVARIANTS if row.text == promise)
    with pytest.raises(VerifyError, match=re.escape(f"{promise} ({row.source}): ") + place):
        check_structure(Written(view, PLAN, SOURCE))


def test_every_invariant_is_broken_above():
    assert {row.text for row in INVARIANTS} == {promise for promise, _, _ in BROKEN}


def test_every_invariant_has_a_source_and_a_text_of_its_own():
    assert all(row.source for row in INVARIANTS)
    assert len({row.text for row in INVARIANTS}) == len(INVARIANTS)


def test_the_message_lists_all_that_is_broken_and_says_whose_fault_it_is():
    view = replace(rewired(relu=("x_dq",)), outputs=("u",))
    with pytest.raises(VerifyError) as caught:
        check_structure(Written(view, PLAN, SOURCE))
    first, *places = str(caught.value).splitlines()
    assert first == "The written model breaks promises. This is a bug in onnxq."
    assert [place.split(" (")[0].strip() for place in places] == [ONLY, FACE]
