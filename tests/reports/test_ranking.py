"""A ranking as a table and as CSV."""

from __future__ import annotations

import csv
import io
import math

import pytest
from rich.console import Console

from onnxq.catalog.metrics.kl import KL
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.group import Group
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import Fidelity
from onnxq.reports.ranking import SHOWN, ranking_csv, ranking_table


def close(sqnr: float, top1: float = 80.0) -> Fidelity:
    return Fidelity(8, {"y": {"sqnr": sqnr, "top1": top1, "kl": 0.25}}, {"y": {"top1": 90.0}}, {})


def ranking(count: int = 2, metrics=(SQNR, TOP1), both: bool = False) -> Ranking:
    ranks = tuple(
        Rank(Group(f"g{n}", "Conv", (f"g{n}",), (), 25, 8), close(20.0 + n), close(12.0) if both else None)
        for n in range(count)
    )
    return Ranking(metrics, 8, "evaluation", 100, close(10.0, 70.0), ranks)


def printed(found: Ranking, verbose: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=100).print(ranking_table(found, verbose))
    return file.getvalue()


def test_a_row_per_group():
    text = printed(ranking())
    assert text.startswith("2 groups: one group quantized, all else FP32, on 8 evaluation samples")
    assert [line.split() for line in text.splitlines() if "Conv" in line] == [
        ["1", "Conv", "g0", "25.0", "%", "55.7", "%", "20.0", "dB", "80.00", "%"],
        ["2", "Conv", "g1", "25.0", "%", "44.3", "%", "21.0", "dB", "80.00", "%"],
    ]


def test_below_stands_what_the_full_quantization_does():
    assert "All groups quantized: SQNR 10.0 dB. damage: its part of the noise that all make" in printed(ranking())
    assert "All groups quantized: top-1 70.00 %, FP32 90.00 %. damage: its part of the top-1" in printed(
        ranking(metrics=(TOP1, SQNR))
    )


def test_many_groups_are_counted_and_shown_on_request():
    text = printed(ranking(SHOWN + 3))
    assert "3 more; -v shows them" in text
    assert f"g{SHOWN + 2}" not in text
    assert f"g{SHOWN + 2}" in printed(ranking(SHOWN + 3), verbose=True)


def test_both_modes_have_a_column_of_the_metric_that_ranks():
    text = printed(ranking(both=True))
    assert "SQNR alone" in text
    assert "SQNR without" in text
    assert "top-1" not in text
    assert "one group quantized, all else FP32; or one group in float, all else quantized" in text


def test_of_several_outputs_the_worst_is_named():
    many = Fidelity(8, {"y": {"sqnr": 20.0}, "z": {"sqnr": 10.0}}, {}, {})
    found = Ranking((SQNR,), 8, "calibration", 0, many, (Rank(Group("a", "Conv", ("a",), (), 0, 8), many),))
    (row,) = [line.split() for line in printed(found).splitlines() if "Conv" in line]
    assert row == ["1", "Conv", "a", "-", "100.0", "%", "10.0", "dB", "z"]


@pytest.mark.parametrize(
    ("sqnr", "text"), [(math.inf, "exact"), (-math.inf, "no signal"), (math.nan, "not finite"), (7.0, "7.0 dB")]
)
def test_figures_that_are_no_numbers(sqnr, text):
    one = close(sqnr)
    found = Ranking((SQNR,), 8, "evaluation", 100, one, (Rank(Group("a", "Conv", ("a",), (), 25, 8), one),))
    assert text in printed(found)


def test_figures_without_a_unit():
    assert "0.25" in printed(ranking(metrics=(KL,)))


def test_csv_has_a_line_of_names_and_one_per_group():
    rows = list(csv.DictReader(io.StringIO(ranking_csv(ranking()))))
    assert [row["group"] for row in rows] == ["g0", "g1"]
    assert float(rows[1]["alone_sqnr"]) == 21.0
    assert float(rows[1]["macs_percent"]) == 25.0
