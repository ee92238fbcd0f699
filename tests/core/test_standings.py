"""Rankings as reports show them: from the value and from its JSON the same."""

from __future__ import annotations

import math

import pytest

from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.group import Group
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import Fidelity
from onnxq.core.standings import Standings
from onnxq.errors import DataError
from onnxq.reports.json import report_json


def close(sqnr):
    return Fidelity(8, {"y": {"sqnr": sqnr}}, {}, {})


def ranking(*figures):
    ranks = [Rank(Group(f"g{n}", "Conv", (f"g{n}",), (), 1, 1), close(figure)) for n, figure in enumerate(figures)]
    return Ranking((SQNR,), 8, "evaluation", 10, close(20.0), tuple(ranks))


def test_json_tells_the_same_as_the_ranking():
    found = ranking(25.0, 35.0)
    assert Standings.from_json(report_json(found), "r.json") == Standings.of(found)


def test_the_damage_is_in_the_order_of_the_ranking():
    rows = Standings.of(ranking(25.0, 35.0)).rows
    assert [(row.group, row.op) for row in rows] == [("g0", "Conv"), ("g1", "Conv")]
    assert rows[0].share > 90.0
    assert rows[0].damage > rows[1].damage


def test_what_json_cannot_say_is_not_finite():
    (row,) = Standings.from_json(report_json(ranking(math.nan)), "r.json").rows
    assert math.isinf(row.damage)
    assert math.isnan(row.share)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ranks": [{}]}', '{"ranks": [], "metrics": []}', "null"])
def test_what_is_no_ranking_is_named_with_what_makes_one(text):
    with pytest.raises(DataError, match=r"'r\.json' holds no ranking: .*`onnxq sensitivity --out ranking\.json`"):
        Standings.from_json(text, "r.json")
