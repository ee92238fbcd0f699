"""Rules in a plan: calibrators, granularities, placement against advice, and nodes in FP32."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView
from onnxq.core.plan import Plan
from onnxq.core.rule import Rule
from onnxq.core.spec import PerAxis, PerTensor
from onnxq.errors import PlanError, RecipeError
from onnxq.stages.plan import layers, plan, replan

NET = sketch("""
    c = Conv(x, wc[16,16,3,3])
    r = Relu(c)
    d = Conv(r, wd[16,16,3,3])
    e = Conv(r, we[16,16,3,3])
    s = Concat(d, e)
    f = Conv(s, wf[16,32,1,1])
    g = Gemm(f, wg[16,10])
""")


def made(*rules: Rule, view: GraphView = NET) -> Plan:
    return plan(view, TENSORRT, rules)


def calibrators(found: Plan) -> dict[str, str | None]:
    """By tensor, of all that is quantized."""
    return {decision.site.tensor: decision.calibrator for decision in found.quantized if decision.calibrator}


class TestCalibrators:
    def test_that_of_a_tensor_holds_whatever_rules_say_of_its_readers(self):
        rules = [Rule("d", calibrator="max"), Rule("e", calibrator="entropy")]
        found = plan(NET, TENSORRT, rules, tensors={"r": "percentile 99.9"})
        assert calibrators(found)["r"] == "percentile 99.9"
        assert {d.rule for d in found.quantized if d.site.tensor == "r"} == {"r"}

    def test_tensors_that_share_a_scale_follow_the_first_that_is_named(self):
        view = sketch("""
            c = Conv(x, wc[16,16,3,3])
            d = Conv(x, wd[16,16,3,3])
            e = Conv(c, we[16,16,1,1])
            h = Conv(d, wh[16,16,1,1])
            s = Concat(c, d)
            f = Conv(s, wf[16,32,1,1])
        """)
        found = plan(view, TENSORRT, tensors={"d": "max", "s": "entropy"})
        assert found.ties == (("c", "d", "s"),)
        assert calibrators(found) == dict.fromkeys("cds", "max")

    def test_a_tensor_that_is_none_is_refused(self):
        message = r"^The recipe calibrates the tensor 'rr', which the model lacks\. Did you mean 'r'\?$"
        with pytest.raises(RecipeError, match=message):
            plan(NET, TENSORRT, tensors={"rr": "max"})

    def test_a_rule_sets_that_of_the_activations_that_its_nodes_read(self):
        assert calibrators(made(Rule("c", calibrator="entropy"))) == {"x": "entropy"}

    def test_one_for_weights_leaves_activations_alone(self):
        assert calibrators(made(Rule("d", weight_calibrator="mse"))) == {"wd": "mse"}

    def test_all_readers_of_a_tensor_follow_the_one_that_a_rule_is_for(self):
        found = made(Rule("e", calibrator="max"))
        assert {(d.site.node, d.calibrator) for d in found.quantized if d.site.tensor == "r"} == {
            ("d", "max"),
            ("e", "max"),
        }

    def test_the_most_specific_rule_for_any_reader_wins(self):
        rules = Rule("d", calibrator="max"), Rule("op:Conv", calibrator="mse"), Rule("[e]", calibrator="entropy")
        assert calibrators(made(*rules))["r"] == "max"
        assert calibrators(made(*rules[1:]))["r"] == "entropy"

    def test_of_rules_as_specific_for_two_readers_the_later_wins(self):
        rules = Rule("e", calibrator="max"), Rule("d", calibrator="mse")
        assert calibrators(made(*rules))["r"] == "mse"
        assert calibrators(made(*rules[::-1]))["r"] == "max"

    def test_tensors_that_share_a_scale_have_one(self):
        view = sketch("""
            a = Conv(x, wa[16,16,3,3])
            b = Conv(y, wb[16,16,3,3])
            k = Conv(a, wk[16,16,3,3])
            s = Concat(a, b)
            f = Conv(s, wf[16,32,1,1])
        """)
        found = made(Rule("k", calibrator="entropy"), view=view)
        assert found.ties == (("a", "s"),)
        assert calibrators(found) == {"a": "entropy", "s": "entropy"}

    def test_an_edge_in_float_has_none(self):
        assert calibrators(made(Rule("g", calibrator="max"))) == {}


class TestGranularity:
    def test_a_weight_has_one_scale_where_a_rule_says_so(self):
        cuts = {s.tensor: spec.granularity for s, spec in made(Rule("d", weight_granularity="per_tensor")).weights}
        assert cuts == {"wc": PerAxis(0), "wd": PerTensor(), "we": PerAxis(0), "wf": PerAxis(0)}

    def test_a_more_specific_rule_leaves_it_as_the_table_has_it(self):
        rules = Rule("*", weight_granularity="per_tensor"), Rule("d", weight_granularity="per_channel")
        cuts = {site.tensor: spec.granularity for site, spec in made(*rules).weights}
        assert [name for name, cut in cuts.items() if cut == PerAxis(0)] == ["wd"]


class TestPlacement:
    def test_a_skipped_node_stays_in_float_and_says_by_which_rule(self):
        found = made(Rule("op:Conv & position:first", skip=True))
        (decision,) = [d for d in found.decisions if d.site.tensor == "x"]
        assert (decision.spec, decision.reason) == (None, "skipped on request")
        assert decision.rule == "op:Conv & position:first"

    def test_advice_is_ignored_where_a_rule_includes(self):
        assert not [d for d in made().quantized if d.site.node == "g"]
        found = [d for d in made(Rule("g", include=True)).quantized if d.site.node == "g"]
        assert [(d.site.tensor, d.rule) for d in found] == [("f", "g"), ("wg", "g")]

    def test_few_channels_can_be_included(self):
        view = sketch("c = Conv(x, w[4,4,1,1])\nd = Conv(c, v[16,16,3,3])")
        assert {d.site.node for d in made(view=view).quantized} == {"d"}
        assert {d.site.node for d in made(Rule("*", include=True), view=view).quantized} == {"c", "d"}

    def test_decoding_can_be_included(self):
        view = sketch("""
            c = Conv(x, w[16,16,3,3])
            b = Conv(c, wb[16,16,1,1])
            s = Conv(c, ws[16,16,1,1])
            p = Sigmoid(s)
            m = Mul(b, p)
            o = Concat(m, p)
        """)
        assert {d.site.node for d in made(Rule("m", include=True), view=view).quantized} == {"c", "b", "s", "m"}
        assert {d.site.node for d in made(view=view).quantized} == {"c", "b", "s"}

    @pytest.mark.parametrize(
        ("text", "rule", "message"),
        [
            (
                "c = Conv(x, w[16,16,3,3])\nd = Conv(c, y)",
                "d",
                r"^Conv 'd' cannot be included: its weight 'y' is computed at run time\.$",
            ),
            (
                "c = Conv(x, w[16,16,3,3])\nd = ConvTranspose(c, v[16,8,3,3]) group=2",
                "d",
                r"^ConvTranspose 'd' cannot be included: it has 2 groups, and a grouped transposed convolution has no",
            ),
            (
                "c = Conv(x, w[16,16,3,3])\nd = Relu(c)",
                "d",
                r"^Relu 'd' cannot be included: it is fused into the kernel of 'c'\.$",
            ),
            (
                "c = Conv(x, w[16,16,3,3])\nd = Softmax(c)",
                "op:Softmax",
                r"^'op:Softmax' includes nothing that can run in INT8: Softmax 'd' cannot be included: an INT8 softmax",
            ),
        ],
    )
    def test_what_the_engine_would_refuse_stays_refused(self, text, rule, message):
        with pytest.raises(RecipeError, match=message):
            made(Rule(rule, include=True), view=sketch(text))

    def test_a_broad_rule_includes_what_can_be(self):
        view = sketch("c = Conv(x, w[16,16,3,3])\nd = Conv(c, y)\ne = Conv(d, v[4,4,1,1])")
        found = made(Rule("op:Conv", include=True), view=view)
        assert {d.site.node for d in found.quantized} == {"c", "e"}


def test_nodes_whose_rest_is_fp32_are_in_the_plan():
    found = made(Rule("op:Relu", rest="fp32"), Rule("g", rest="fp32"), Rule("c", rest="fp16"))
    assert found.fp32 == ("r", "g")
    assert Plan.from_json(found.to_json(), NET) == found


def test_layers_have_weights_of_their_own():
    view = sketch("""
        q = MatMul(x, w[16,16])
        k = MatMul(q, q)
        s = Softmax(k)
        d = Conv(s, e[1,16,1,1])
        r = Relu(d)
    """)
    assert layers(view, TENSORRT) == {"q"}


class TestPlansOfSomebodyElse:
    RULES = (
        Rule("op:Conv", calibrator="mse", weight_granularity="per_tensor"),
        Rule("e", calibrator="max"),
        Rule("f", skip=True),
        Rule("g", include=True),
        Rule("r", rest="fp32"),
    )

    def test_the_rules_change_nothing_in_the_plan_that_they_made(self):
        own = made(*self.RULES)
        assert replan(own, NET, TENSORRT, self.RULES) == own

    def test_they_fill_in_what_a_plan_leaves_open(self):
        found = replan(made(), NET, TENSORRT, self.RULES[:1])
        assert calibrators(found) == dict.fromkeys(("x", "r", "s"), "mse")
        assert {spec.granularity for _, spec in found.weights} == {PerTensor()}

    def test_a_calibrator_of_the_plan_stays(self):
        own = made()
        edited = tuple(replace(d, calibrator="max") if d.site.tensor == "x" else d for d in own.decisions)
        found = replan(replace(own, decisions=edited), NET, TENSORRT, [Rule("c", calibrator="mse")])
        assert calibrators(found) == {"x": "max"}

    def test_what_is_included_must_be_in_the_plan(self):
        with pytest.raises(
            RecipeError, match=r"^Gemm 'g' cannot be included: its output dimension of 10 does not fill"
        ):
            replan(made(), NET, TENSORRT, [Rule("g", include=True)])


JOINED = sketch("""
    r = Relu(x)
    c = Conv(r, w[16,16,3,3])
    s = Conv(r, v[16,16,1,1])
    j = Add(c, s)
    a = Relu(j)
    d = Conv(a, u[16,16,3,3])
    k = Add(d, a)
    e = Conv(k, t[16,16,3,3])
""")


class TestResiduals:
    def shortcuts(self, found: Plan) -> dict[str, int]:
        return {d.site.node: d.site.index for d in found.quantized if d.op == "Add"}

    def test_an_override_says_which_operand_is_the_shortcut(self):
        found = self.shortcuts(plan(JOINED, TENSORRT))
        other = plan(JOINED, TENSORRT, residuals={"j": 1 - found["j"]})
        assert self.shortcuts(other) == {**found, "j": 1 - found["j"]}
        assert {d.rule for d in other.decisions if d.site.node == "j"} == {"residuals"}

    def test_none_leaves_both_operands_in_float(self):
        found = plan(JOINED, TENSORRT, residuals={"k": None})
        assert found.residuals == ("j",)
        edges = [d for d in found.decisions if d.site.node == "k"]
        assert {(d.spec, d.reason, d.rule) for d in edges} == {(None, "skipped on request", "residuals")}

    @pytest.mark.parametrize(
        ("residuals", "message"),
        [
            ({"jj": 0}, r"^The residual join 'jj' is no node of the model\. Did you mean 'j'\?$"),
            (
                {"d": 0},
                r"^Conv 'd' is no residual join for the target 'tensorrt': that adds the result of a convolution",
            ),
            (
                {"k": 0},
                r"^Operand 0 of Add 'k' cannot be the shortcut: no convolution computes the other one, 'a', and",
            ),
        ],
    )
    def test_an_override_that_cannot_be_is_refused(self, residuals, message):
        with pytest.raises(RecipeError, match=message):
            plan(JOINED, TENSORRT, residuals=residuals)

    def test_a_plan_that_was_made_otherwise_is_refused(self):
        own = plan(JOINED, TENSORRT)
        found = self.shortcuts(own)["j"]
        message = rf"^The plan quantizes operand {found} of the residual join 'j', but {1 - found} is asked for\. Make"
        with pytest.raises(PlanError, match=message):
            replan(own, JOINED, TENSORRT, (), {"j": 1 - found})

    def test_none_is_taken_out_of_a_plan(self):
        found = replan(plan(JOINED, TENSORRT), JOINED, TENSORRT, (), {"k": None})
        assert [d.site.node for d in found.quantized if d.op == "Add"] == ["j"]
