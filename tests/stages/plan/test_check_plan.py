"""What is refused of a plan that somebody else made or edited: what the target cannot run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import Granularity, PerAxis, PerBlock, PerTensor, Spec
from onnxq.errors import PlanError
from onnxq.stages.plan import check_plan, plan

BLOCK = sketch("""
    r = Relu(x)
    c = Conv(r, w[16,16,3,3], b[16])
    j = Add(c, r)
    a = Relu(j)
    d = Conv(a, v[16,16,3,3])
""")
OWN = plan(BLOCK, TENSORRT)


def edited(node: str, index: int, spec: Spec | None, own: Plan = OWN) -> Plan:
    """A plan with another spec for one edge."""
    site = Site(BLOCK.by_name[node].inputs[index], node, index)
    rest = tuple(d for d in own.decisions if d.site != site)
    return replace(own, decisions=(*rest, Decision(site, spec, "edited", "me", BLOCK.by_name[node].op)))


def check(made: Plan) -> None:
    check_plan(made, BLOCK, TENSORRT, {"int8"})


def weight(cut: Granularity) -> Spec:
    return Spec("int8", cut, "weight")


@pytest.mark.parametrize("made", [OWN, edited("c", 1, weight(PerTensor())), edited("c", 1, weight(PerAxis(-4)))])
def test_what_the_target_can_run_passes(made: Plan) -> None:
    check(made)


def test_a_node_may_stay_in_float_as_a_whole() -> None:
    check(OWN.without(["d"]))


@pytest.mark.parametrize("cut", [PerAxis(1), PerAxis(4), PerAxis(-5), PerBlock(0, 4)])
def test_a_weight_is_cut_along_its_output_channels(cut: Granularity) -> None:
    with pytest.raises(PlanError, match=r"input 1 of 'c' \(tensor 'w'\), but .*cut per tensor or along axis 0 there"):
        check(edited("c", 1, weight(cut)))


def test_a_kernel_reads_all_operands_as_integers_or_none() -> None:
    with pytest.raises(PlanError, match="some operands of Conv 'd' but not input 0"):
        check(edited("d", 0, None))


def test_a_bias_stays_in_float() -> None:
    with pytest.raises(PlanError, match=r"input 2 of 'c' .* no weight that Conv reads as integers"):
        check(edited("c", 2, weight(PerTensor())))


def test_an_operator_without_a_rule_stays_in_float() -> None:
    with pytest.raises(PlanError, match="no INT8 rule for input 0 of Relu"):
        check(edited("a", 0, Spec("int8")))


def test_no_pair_cuts_a_kernel() -> None:
    made = edited("j", 0, Spec("int8"), replace(OWN, residuals=()))
    with pytest.raises(PlanError, match=r"input 0 of 'j' .* would cut the kernel of 'c'"):
        check(made)


def test_unknown_joins() -> None:
    with pytest.raises(PlanError, match="residual join 'nope', which the model lacks"):
        check(replace(OWN, residuals=("nope",)))
