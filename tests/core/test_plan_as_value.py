"""Plans: what contradicts itself cannot be made, and a plan goes through its JSON text and back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import PerAxis, Spec
from onnxq.errors import PlanError

VIEW = GraphView(
    nodes=(
        Node("conv", "Conv", ("x", "w"), ("t",)),
        Node("join", "Add", ("t", "x"), ("u",)),
        Node("soft", "Softmax", ("u",), ("y",)),
    ),
    inputs=("x",),
    outputs=("y",),
    constants={"w": np.ones((1, 1), np.float32)},
    shapes={},
    dtypes={},
)
INT8 = Spec("int8")
CONV = Decision(Site("x", "conv", 0), INT8, "it reads INT8", "guide", "Conv")
WEIGHT = Decision(Site("w", "conv", 1), Spec("int8", PerAxis(0), "weight"), "its weight", "guide", "Conv")
JOIN = Decision(Site("x", "join", 1), INT8, "the shortcut", "guide", "Add")
SOFT = Decision(Site("u", "soft", 0), None, 'it has "no" kernel', "guide", "Softmax")
PLAN = Plan("tensorrt", VIEW.fingerprint, (CONV, WEIGHT, JOIN, SOFT), (("x", "u"),), ("join",))


def edited(**changes):
    """The JSON text of PLAN with other values at the top."""
    return json.dumps({**json.loads(PLAN.to_json()), **changes})


def with_row(**changes):
    """The same with other values in its first decision."""
    data = json.loads(PLAN.to_json())
    return json.dumps({**data, "decisions": [{**data["decisions"][0], **changes}, *data["decisions"][1:]]})


def test_what_a_plan_quantizes_and_what_it_refuses():
    assert PLAN.quantized == (CONV, WEIGHT, JOIN)
    assert PLAN.refused == (SOFT,)
    assert PLAN.activations == ("x",)
    assert PLAN.weights == ((WEIGHT.site, WEIGHT.spec),)


def test_one_tensor_cannot_be_stored_in_two_ways():
    message = (
        r"^Tensor 'x' cannot be stored in two ways: as int8 per tensor for node 'conv' and as fp8 per tensor for node "
        r"'join'\. Give both the same spec\.$"
    )
    with pytest.raises(PlanError, match=message):
        Plan("t", "", (CONV, Decision(JOIN.site, Spec("fp8"), "", "")))


def test_two_readers_of_a_weight_may_cut_it_differently():
    other = Decision(Site("w", "other", 1), Spec("int8", PerAxis(1), "weight"), "", "")
    assert len(Plan("t", "", (WEIGHT, other)).weights) == 2


def test_a_residual_join_has_one_quantized_operand():
    message = (
        r"^The residual join 'join' may have one quantized operand, the shortcut, but the plan quantizes \['x', 't'\]\."
    )
    with pytest.raises(PlanError, match=message):
        Plan("t", "", (JOIN, Decision(Site("t", "join", 0), INT8, "", "")), residuals=("join",))


def test_without_leaves_every_edge_into_a_node_in_float_and_keeps_the_rest():
    less = PLAN.without(["conv", "soft"], "for a test")
    assert [d.spec for d in less.decisions] == [None, None, INT8, None]
    assert [(d.reason, d.source) for d in less.decisions[:2]] == [("for a test", "recipe")] * 2
    assert less.decisions[2:] == PLAN.decisions[2:], "what was in float keeps its own reason"
    assert PLAN.quantized == (CONV, WEIGHT, JOIN), "the plan itself is as it was"


def test_a_plan_goes_through_json_and_back():
    assert Plan.from_json(PLAN.to_json(), VIEW) == PLAN
    bare = Plan("tensorrt", VIEW.fingerprint, (CONV,))
    assert Plan.from_json(bare.to_json(), VIEW) == bare


def test_the_text_has_a_line_for_each_decision():
    rows = [line for line in PLAN.to_json().splitlines() if '"node"' in line]
    assert [json.loads(row.rstrip(","))["node"] for row in rows] == ["conv", "conv", "join", "soft"]


def test_a_spec_of_null_leaves_its_edge_in_float():
    assert Plan.from_json(with_row(spec=None), VIEW).quantized == (WEIGHT, JOIN)


def test_the_operator_is_the_models_whatever_the_text_says():
    assert Plan.from_json(with_row(op="Gemm"), VIEW).decisions[0].op == "Conv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^The plan is no JSON: Expecting value"),
        ("[]", r"^This is no plan of onnxq: the key 'onnxq_plan' must be 1\.$"),
        (edited(onnxq_plan=2), r"^This is no plan of onnxq"),
        (
            edited(model="0000"),
            r"^The plan was made for another model: its fingerprint is 0000, this model's is \w{16}\. Make",
        ),
        (edited(decisions=None), r"^The plan lacks a part or holds something unexpected: "),
        (edited(decisions=[5]), r"^The plan lacks a part or holds something unexpected: "),
        (edited(ties=None), r"^The plan lacks a part or holds something unexpected: "),
        (edited(ties=[["x", "xx"]]), r"^The plan names the tensor 'xx', which the model lacks\. Did you mean 'x'\?$"),
        (edited(ties=[[5]]), r"^The plan names the tensor 5, which the model lacks\.$"),
        (with_row(node="conf"), r"^The plan names the node 'conf', which the model lacks\. Did you mean 'conv'"),
        (
            with_row(tensor="t"),
            r"^The plan names input 0 of 'conv' \(tensor 't'\), but there is no such edge\. Its inputs: ",
        ),
        (with_row(input=1), r"^The plan names input 1 of 'conv' \(tensor 'x'\), but there is no such edge\."),
        (with_row(input="0"), r"^The plan names input 0 of 'conv' \(tensor 'x'\), but there is no such edge\."),
        (with_row(node=["conv"]), r"^The plan lacks a part or holds something unexpected: "),
        (
            with_row(spec={"format": "int8", "role": "weight"}),
            r"^The plan gives input 0 of .* the role 'weight', but that tensor is computed at run time\.$",
        ),
        (with_row(spec="int8"), r"^A spec has the keys"),
        (with_row(spec={"format": "fp8"}), r"^Tensor 'x' cannot be stored in two ways"),
    ],
)
def test_a_text_that_is_no_plan_for_this_model_is_refused(text, message):
    with pytest.raises(PlanError, match=message):
        Plan.from_json(text, VIEW)


def test_a_tensor_of_another_type_than_float32_cannot_be_quantized():
    message = (
        r"^The plan quantizes input 1 of 'conv' \(tensor 'w'\), which holds float64\. Only float32 can be quantized\.$"
    )
    with pytest.raises(PlanError, match=message):
        Plan.from_json(PLAN.to_json(), replace(VIEW, constants={"w": np.ones((1, 1))}))


@pytest.mark.parametrize("key", ["tensor", "node", "input", "spec"])
def test_a_decision_that_lacks_a_part_is_refused(key):
    data = json.loads(PLAN.to_json())
    del data["decisions"][1][key]
    with pytest.raises(PlanError, match=rf"^The plan lacks a part or holds something unexpected: KeyError\('{key}'\)"):
        Plan.from_json(json.dumps(data), VIEW)


def test_a_constant_cannot_be_called_an_activation():
    data = json.loads(PLAN.to_json())
    data["decisions"][1]["spec"] = {"format": "int8"}
    with pytest.raises(
        PlanError, match=r"^The plan gives input 1 of 'conv' .* the role 'activation', but that tensor is a constant\.$"
    ):
        Plan.from_json(json.dumps(data), VIEW)


def calibrated(*ways, ties=()):
    """A plan in which "x" is read by "conv" and by "join", each with a calibrator."""
    decisions = (replace(decision, calibrator=way) for decision, way in zip((CONV, JOIN), ways, strict=True))
    return Plan("tensorrt", VIEW.fingerprint, (*decisions, WEIGHT), ties)


def test_all_readers_of_a_tensor_calibrate_it_in_one_way():
    assert calibrated("max", "max").quantized[0].calibrator == "max"
    message = (
        r"^One scale cannot be chosen in two ways: by max for input 0 of 'conv' \(tensor 'x'\) and by the calibrator "
        r"of the recipe for input 1 of 'join' \(tensor 'x'\)\. Give both the same calibrator\.$"
    )
    with pytest.raises(PlanError, match=message):
        calibrated("max", None)


def test_tensors_that_share_a_scale_are_calibrated_in_one_way():
    other = Decision(Site("u", "soft", 0), INT8, "", "", calibrator="mse")
    assert Plan("t", "", (replace(CONV, calibrator="max"), other))
    with pytest.raises(
        PlanError, match=r"^One scale cannot be chosen in two ways: by max for .* and by mse for input 0"
    ):
        Plan("t", "", (replace(CONV, calibrator="max"), other), ties=(("x", "u"),))


def test_a_weight_may_be_calibrated_otherwise_than_activations():
    assert Plan("t", "", (CONV, replace(WEIGHT, calibrator="mse")), ties=(("x", "w"),))


def test_calibrators_rules_and_what_stays_in_fp32_go_through_the_text():
    decisions = (
        replace(CONV, calibrator="percentile 99.9", rule="op:Conv"),
        replace(JOIN, calibrator="percentile 99.9"),
    )
    plan = replace(PLAN, decisions=(*decisions, WEIGHT, SOFT), fp32=("soft",))
    assert Plan.from_json(plan.to_json(), VIEW) == plan
    assert '"calibrator": "percentile 99.9", "rule": "op:Conv"' in plan.to_json()
    assert "calibrator" not in PLAN.to_json()
    assert "fp32" not in PLAN.to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (edited(fp32=["sof"]), r"^The plan names the node 'sof', which the model lacks\. Did you mean 'soft'\?$"),
        (with_row(calibrator=5), r"^The plan calibrates input 0 of 'conv' \(tensor 'x'\) by 5\. Give the name of a "),
    ],
)
def test_a_node_or_a_calibrator_that_is_none_is_refused(text, message):
    with pytest.raises(PlanError, match=message):
        Plan.from_json(text, VIEW)


def test_what_is_left_in_float_after_all_has_no_calibrator():
    plan = calibrated("max", "max").without(["conv", "join"])
    assert {decision.calibrator for decision in plan.decisions} == {None}


def test_the_reason_of_what_is_skipped_can_be_told_better():
    plan = PLAN.without(["conv", "join"]).skipping(["conv", "soft"], "it pays not")
    reasons = {d.site.node: d.reason for d in plan.decisions}
    assert reasons == {"conv": "it pays not", "join": "skipped on request", "soft": SOFT.reason}
