"""The page of a dossier made by hand: names that look like markup, errors that enter, figures that are not finite."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from onnxq.core.channel_ranges import ChannelRanges
from onnxq.core.comparison import Layer
from onnxq.core.dossier import Dossier
from onnxq.core.format import Range
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.histogram import Histogram
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.standings import Standing, Standings
from onnxq.core.tally import measured
from onnxq.errors import RecipeError
from onnxq.reports.html import report_html, verdict

NASTY = '<script>alert("1")</script>'
WEIGHT = np.array([[1.0, -2.0]], np.float32)


def dossier(**given):
    view = GraphView(
        (Node(NASTY, "Conv", ("x", "w"), ("a",)), Node("exp", "Exp", ("a",), ("y",))),
        ("x",),
        ("y",),
        {"w": WEIGHT},
        {},
        {"a": "float32"},
    )
    decisions = (
        Decision(Site("x", NASTY, 0), Spec("int8"), "", ""),
        Decision(Site("a", "exp", 0), None, f"no rule for '{NASTY}'", "guide"),
    )
    return Dossier(NASTY, view, Plan("tensorrt", "f", decisions), {}, {}, recipe=NASTY, command=NASTY, **given)


def layers(*figures):
    return tuple(
        Layer(tensor, "n", "Conv", {"sqnr": sqnr}, before)
        for tensor, sqnr, before in zip(("a", "y"), figures, (math.inf, figures[0]), strict=True)
    )


def test_names_are_never_markup():
    weight = ChannelRanges.of(Site(NASTY, NASTY, 1), Spec("int8", PerAxis(0), "weight"), WEIGHT)
    tensor = Histogram.of(NASTY, measured(WEIGHT), {"max": Range(-2.0, 1.0)}, Range(-2.0, 2.0), NASTY)
    found = Standings("sqnr", 8, "evaluation", (Standing(NASTY, "Conv", 1.0, 100.0),))
    page = report_html(dossier(weights=(weight,), histograms=(tensor,), standings=found))
    assert NASTY.encode() not in page
    assert page.count(b"<script>") == 1
    assert page.count(b"&lt;script&gt;") > 10


def test_steps_of_the_error_are_listed_with_their_node():
    page = report_html(dossier(layers=layers(40.0, 25.0), layer_samples=8)).decode()
    assert '<a href="#n1"><code>n</code></a>: 25.0 dB, 15.0 dB below its inputs' in page


@pytest.mark.parametrize("figures", [(math.inf, math.inf), (math.nan, -math.inf), (0.0, -5.0)])
def test_figures_that_are_not_finite_are_drawn_too(figures):
    assert b"Where the error enters" in report_html(dossier(layers=layers(*figures)))


def test_a_ranking_whose_damage_cannot_be_told_is_drawn_too():
    found = Standings("sqnr", 8, "evaluation", (Standing("g", "Conv", math.inf, math.nan),))
    assert b"Sensitivity" in report_html(dossier(standings=found))


def test_what_was_not_measured_is_said():
    page = report_html(dossier()).decode()
    assert "not measured" in page
    assert "Shares need fixed shapes." in page


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.0004, "below 0.1 %"), (0.5, "50.0 %"), (0.9996, "above 99.9 %"), (1.0, "100.0 %")],
)
def test_a_share_says_all_or_nothing_only_if_it_is_so(share, text):
    assert verdict.percent(share) == text


def test_an_error_as_large_as_the_signal_has_all_of_its_power():
    assert verdict.error_share(0.0) == "100 %"
    assert verdict.error_share(20.0) == "1 %"


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RecipeError, match=r"HTML reports need jinja2 and matplotlib: pip install 'onnxq\[report\]'"):
        report_html(dossier())
