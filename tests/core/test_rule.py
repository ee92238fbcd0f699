"""Rules: what they may say, and which of several holds for a node."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.core.rule import Match, Rule, matches, resolve
from onnxq.core.selector import Selector
from onnxq.errors import RecipeError

VIEW = sketch("""
    a = Conv(x, wa[32,3,3,3])
    b = Conv(a, wb[32,32,3,3])
    c = Relu(b)
    d = Gemm(c, wd[32,10])
""")
LAYERS = frozenset("abd")


def holds(*rules: Rule, key: str = "calibrator") -> dict[str, object]:
    """The setting of each node that has one."""
    found = resolve(rules, VIEW, LAYERS)
    said = {name: getattr(settings, key) for name, settings in found.items()}
    return {name: said[name].value for name in sorted(said) if said[name]}


def by(select: str, calibrator: str) -> Rule:
    return Rule(select, calibrator=calibrator)


def test_a_rule_holds_for_the_nodes_that_its_selector_means():
    assert holds(by("op:Conv", "max")) == {"a": "max", "b": "max"}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("*", "op:Conv"),
        ("op:Conv", "channels:<4"),  # equally specific, so the later holds
        ("channels:<4", "op:Conv"),
        ("op:Conv", "op:Conv & channels:<4"),
        ("op:Conv & channels:<4", "[a]"),
        ("op:Conv & channels:<4", "position:first"),
        ("position:first", "re:^a$"),
        ("re:^a$", "position:first"),
        ("Conv -> Conv", "from:x & to:a"),
        ("[a]", "a"),
        ("a", "a"),
        ("a", "a & op:Conv"),
        ("op:Conv & channels:<4 & position:first & re:^a$", "a"),
    ],
)
def test_the_most_specific_rule_holds_and_of_equals_the_later(weaker, stronger):
    assert holds(by(weaker, "max"), by(stronger, "mse"))["a"] == "mse"
    if Selector.of(weaker).specificity(VIEW) < Selector.of(stronger).specificity(VIEW):
        assert holds(by(stronger, "mse"), by(weaker, "max"))["a"] == "mse"


def test_each_setting_is_decided_by_itself():
    rules = Rule("a", calibrator="max"), Rule("*", calibrator="mse", weight_calibrator="entropy", rest="fp32")
    assert holds(*rules) == {"a": "max", "b": "mse", "c": "mse", "d": "mse"}
    assert holds(*rules, key="weight_calibrator") == dict.fromkeys("abcd", "entropy")
    assert holds(*rules, key="rest") == dict.fromkeys("abcd", "fp32")


def test_skip_and_include_are_one_setting_that_false_takes_back():
    rules = Rule("op:Conv", skip=True), Rule("a", include=True), Rule("b", skip=False)
    assert holds(*rules, key="placement") == {"a": "include", "b": "table"}


def test_a_setting_says_which_rule_it_is_from():
    said = resolve([by("op:Conv", "max"), by("a", "mse")], VIEW, LAYERS)["a"].calibrator
    assert (str(said.by), said.is_by_name, said.strength) == ("a", True, (3, 1, 1))


def test_matches_say_which_nodes_a_rule_means_and_for_which_it_holds():
    general, special = by("op:Conv", "max"), by("a", "mse")
    assert matches([general, special], VIEW, LAYERS) == (
        Match(general, ("a", "b"), ("b",)),
        Match(special, ("a",), ("a",)),
    )


def test_a_selector_that_matches_nothing_is_refused():
    with pytest.raises(RecipeError, match=r"^The selector 'op:Gem' matches no node\. Did you mean 'Gemm'\?$"):
        resolve([by("op:Gem", "max")], VIEW, LAYERS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"^The rule for 'a' sets nothing\. Settings: calibrator, percentile, weight_calibrator, "),
        (
            {"skip": True, "include": True},
            r"^The rule for 'a' skips and includes the same nodes\. Leave out one of both",
        ),
        ({"percentile": 99.0}, r"^The percentile of the rule for 'a' does nothing without calibrator 'percentile'\."),
        ({"calibrator": "percentile 98", "percentile": 99.0}, r"^The percentile of the rule for 'a' does nothing"),
        ({"calibrator": "percentile", "percentile": 0}, r"^The percentile must lie in \(0, 100\]\. Got 0\.$"),
        ({"calibrator": "percentile", "percentile": True}, r"^percentile must be a number\. Got True\.$"),
        (
            {"weight_granularity": "rows"},
            r"^Unknown weight_granularity 'rows'\. Choose one of: per_channel, per_tensor",
        ),
    ],
)
def test_a_rule_that_says_nothing_or_contradicts_itself_is_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        Rule("a", **settings)


def test_a_rule_reads_as_what_it_says():
    assert str(Rule("a", calibrator="percentile", percentile=99.9, skip=False)) == (
        "calibrator percentile, percentile 99.9, skip false"
    )
