"""Bar charts: the same bytes for the same ranking, the worst at the top, whatever the names and figures."""

from __future__ import annotations

import math
import sys
import xml.etree.ElementTree as ET

import pytest

from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.group import Group
from onnxq.core.metric import OwnMetric
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import ALL_OUTPUTS, Fidelity
from onnxq.errors import RecipeError
from onnxq.reports.chart import LONGEST, MOST, check_plots, ranking_chart

PNG = b"\x89PNG\r\n\x1a\n"


def close(**outputs: float) -> Fidelity:
    return Fidelity(8, {output: {"sqnr": value} for output, value in outputs.items()}, {}, {})


def group(name: str, op: str = "Conv") -> Group:
    return Group(name, op, (name,), (), 10, 100)


def ranking(*ranks: Rank, full: Fidelity | None = None, metrics=(SQNR,)) -> Ranking:
    return Ranking(metrics, 8, "evaluation", 100, full or close(y=20.0), ranks)


TWO = ranking(
    Rank(group("first"), close(y=25.0), close(y=24.0)), Rank(group("second", "Gemm"), close(y=35.0), close(y=20.1))
)


def drawn(chart: bytes) -> list[str]:
    """The texts of an SVG, which matplotlib leaves in comments, in drawing order."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    return [(node.text or "").strip() for node in ET.fromstring(chart, parser).iter(ET.Comment)]


def test_the_same_ranking_gives_the_same_bytes():
    for kind in ("svg", "png"):
        assert ranking_chart(TWO, kind, "net") == ranking_chart(TWO, kind, "net")


def test_a_png_is_one():
    assert ranking_chart(TWO, "png").startswith(PNG)


def test_it_says_what_a_person_has_to_know():
    texts = drawn(ranking_chart(TWO, "svg", "net"))
    assert "net: 2 groups, 8 samples; all quantized: 20.0 dB" in texts
    assert {"Quantized alone: what is lost", "noise in % of the signal"} <= set(texts)
    assert {"Left in float: what is gained", "SQNR, dB"} <= set(texts)
    assert {"first", "second", "25.0 dB", "35.0 dB", "24.0 dB", "20.1 dB", "Conv", "Gemm"} <= set(texts)


def test_of_several_outputs_the_worst_is_named():
    found = ranking(Rank(group("a"), close(y=25.0, z=15.0)))
    assert "15.0 dB  z" in drawn(ranking_chart(found, "svg"))


def test_of_many_groups_the_worst_are_drawn():
    many = ranking(*(Rank(group(f"g{number}"), close(y=20.0 + number)) for number in range(MOST + 5)))
    texts = drawn(ranking_chart(many, "svg"))
    assert f"the worst {MOST} of {MOST + 5} groups, 8 samples; all quantized: 20.0 dB" in texts
    assert f"g{MOST - 1}" in texts
    assert f"g{MOST}" not in texts


def test_long_names_lose_their_middle():
    name = "/backbone" * 10 + "/Conv"
    (text,) = [t for t in drawn(ranking_chart(ranking(Rank(group(name), close(y=25.0))), "svg")) if "…" in t]
    assert len(text) <= LONGEST
    assert text.startswith("/backbone")
    assert text.endswith("/Conv")


def test_many_operators_share_the_last_colour():
    ops = ranking(*(Rank(group(f"g{n}", f"Op{n}"), close(y=25.0)) for n in range(12)))
    texts = drawn(ranking_chart(ops, "svg"))
    assert {"Op0", "Op6", "others"} <= set(texts)
    assert "Op7" not in texts


@pytest.mark.parametrize("figure", [math.inf, -math.inf, math.nan])
def test_figures_that_no_bar_can_show_are_written(figure):
    texts = drawn(ranking_chart(ranking(Rank(group("a"), close(y=figure)), Rank(group("b"), close(y=25.0))), "svg"))
    assert {math.inf: "exact", -math.inf: "no signal"}.get(figure, "not finite") in texts


def test_a_metric_of_the_users_own():
    own = OwnMetric("m.py:f", lambda *_: 0)
    found = Fidelity(8, {ALL_OUTPUTS: {"m.py:f": 0.7}}, {ALL_OUTPUTS: {"m.py:f": 0.9}}, {})
    texts = drawn(ranking_chart(ranking(Rank(group("a"), found), metrics=(own,), full=found), "svg"))
    assert {"0.7", "m.py:f"} <= set(texts)


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    for name in ("a$x$", r"$\frac{$"):
        assert name in drawn(ranking_chart(ranking(Rank(group(name), close(y=25.0))), "svg"))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RecipeError, match=r"^Charts need matplotlib: pip install 'onnxq\[plots\]'$"):
        check_plots()
