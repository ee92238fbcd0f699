"""What may be lost: a floor, or a drop from FP32's figure."""

from __future__ import annotations

import pytest

from onnxq.core.budget import Budget, Choice, Point, front_of
from onnxq.errors import RecipeError


def test_a_floor_is_what_it_says():
    assert Budget("sqnr", floor=25.0).allowed(None) == 25.0
    assert str(Budget("sqnr", floor=25.0)) == "sqnr at least 25"


@pytest.mark.parametrize(
    ("text", "baseline", "allowed"),
    [("0.5%", 80.0, 79.6), ("0.5", 80.0, 79.5), (" 1 %", 0.5, 0.495), ("0", 80.0, 80.0), (".5%", -2.0, -2.01)],
)
def test_a_drop_is_a_share_of_fp32s_figure_or_a_number_in_its_unit(text, baseline, allowed):
    drop, relative = Budget.drop_of(text)
    assert Budget("top1", drop=drop, relative=relative).allowed(baseline) == pytest.approx(allowed)


@pytest.mark.parametrize("text", ["", "half", "-1", "1%%", "5 percent", "0,5%"])
def test_what_is_no_drop_is_refused(text):
    with pytest.raises(RecipeError, match=r"is no drop\. Give a share such as 0\.5%, or a number"):
        Budget.drop_of(text)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, r"^A budget has a floor or a drop\. Give one of them\.$"),
        ({"floor": 1.0, "drop": 0.5}, r"^A budget has a floor or a drop\."),
        ({"floor": float("nan")}, r"^The lowest top1 must be a number\. Got nan\.$"),
        ({"drop": 1.0, "relative": True}, r"^The drop of top1 must be at least 0, and below 100 %\. Got 1\.0\.$"),
        ({"drop": -0.1}, r"^The drop of top1 must be at least 0"),
        ({"drop": 0.1, "seconds": 0.0}, r"^The time limit must be above 0 seconds\. Got 0\.0\.$"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(asked, message):
    with pytest.raises(RecipeError, match=message):
        Budget("top1", **asked)


def test_a_drop_needs_a_figure_of_fp32():
    with pytest.raises(RecipeError, match=r"^FP32 has no figure 'cosine' that could drop\. Give evaluation data with"):
        Budget("cosine", drop=0.1).allowed(None)


def test_a_choice_is_changed_by_making_another():
    choice = Choice(frozenset("ab")).calibrated({"t": "max", "u": "mse"})
    assert choice.without("a").floats == {"b"}
    assert choice.exchanging("a", "c").floats == {"b", "c"}
    assert choice.calibrated({"t": "", "u": "entropy"}).calibrators == {("u", "entropy")}


def test_the_front_holds_what_nothing_beats_in_both():
    def point(share: float, figure: float) -> Point:
        return Point(share, figure, Choice(frozenset([f"{share} {figure}"])))

    good = [point(1.0, 20.0), point(0.7, 25.0), point(0.2, 40.0)]
    beaten = [point(0.9, 19.0), point(0.7, 24.0), point(0.1, 40.0), point(0.0, 140.0)]
    assert front_of([*beaten, *reversed(good)]) == tuple(good)
