"""The order of groups, and what it is made from."""

from __future__ import annotations

import math

import pytest

from onnxq.catalog.metrics.cosine import COSINE
from onnxq.catalog.metrics.kl import KL
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.group import Group
from onnxq.core.metric import OwnMetric
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import ALL_OUTPUTS, Fidelity

OWN = OwnMetric("m.py:f", lambda *_: 0)


def group(name: str, macs: int = 10) -> Group:
    return Group(name, "Conv", (name,), (), macs, 100)


def close(**figures: float) -> Fidelity:
    return Fidelity(8, {"y": figures}, {"y": {"top1": 90.0}}, {})


def ranking(*ranks: Rank, metrics=(SQNR,), full: Fidelity | None = None) -> Ranking:
    return Ranking(metrics, 8, "evaluation", 100, full or close(sqnr=20.0, kl=0.5), ranks).sorted()


def names(found: Ranking) -> list[str]:
    return [rank.group.name for rank in found.ranks]


class TestWorst:
    MANY = Fidelity(8, {"a": {"sqnr": 30.0, "kl": 0.1}, "b": {"sqnr": 20.0, "kl": 0.05}, "c": {}}, {}, {"c": "int64"})

    def test_is_the_output_that_the_metric_likes_least(self):
        assert self.MANY.worst(SQNR) == ("b", 20.0)
        assert self.MANY.worst(KL) == ("a", 0.1)

    def test_is_one_that_is_no_number_if_there_is_one(self):
        found = Fidelity(8, {"a": {"sqnr": -math.inf}, "b": {"sqnr": math.nan}}, {}, {})
        assert found.worst(SQNR)[0] == "b"
        assert found.loss(SQNR) == math.inf

    def test_is_nothing_without_a_figure(self):
        output, figure = self.MANY.worst(TOP1)
        assert output == ""
        assert math.isnan(figure)

    def test_of_a_metric_of_the_users_own_is_of_all_outputs(self):
        found = Fidelity(8, {"a": {"sqnr": 1.0}, ALL_OUTPUTS: {"m.py:f": 0.7}}, {ALL_OUTPUTS: {"m.py:f": 0.9}}, {})
        assert found.worst(OWN) == (ALL_OUTPUTS, 0.7)
        assert found.loss(OWN) == pytest.approx(0.2)


class TestOrder:
    def test_alone_the_group_that_loses_most_comes_first(self):
        some = [Rank(group(n), alone=close(sqnr=s)) for n, s in (("a", 30.0), ("b", 10.0), ("c", math.inf))]
        assert names(ranking(*some)) == ["b", "a", "c"]

    def test_smaller_is_better_for_errors(self):
        some = [Rank(group(n), alone=close(kl=d)) for n, d in (("a", 0.1), ("b", 0.3))]
        assert names(ranking(*some, metrics=(KL,))) == ["b", "a"]

    def test_without_the_group_that_gains_most_comes_first(self):
        some = [Rank(group(n), without=close(sqnr=s)) for n, s in (("a", 21.0), ("b", 25.0), ("c", 19.0))]
        found = ranking(*some)
        assert names(found) == ["b", "a", "c"]
        assert [found.damage(rank) for rank in found.ranks] == [5.0, 1.0, -1.0]

    def test_of_both_modes_alone_decides(self):
        some = [
            Rank(group(n), close(sqnr=alone), close(sqnr=without))
            for n, alone, without in (("a", 9, 20), ("b", 30, 40))
        ]
        assert names(ranking(*some)) == ["a", "b"]
        assert ranking(*some).modes == ("alone", "without")

    def test_equal_ones_are_ranked_by_the_next_metric_then_as_in_the_graph(self):
        rows = (("a", 90.0, 40.0), ("b", 90.0, 30.0), ("c", 80.0, 50.0), ("d", 90.0, 40.0))
        some = [Rank(group(n), alone=close(top1=top, sqnr=s)) for n, top, s in rows]
        assert names(ranking(*some, metrics=(TOP1, SQNR))) == ["c", "b", "a", "d"]

    def test_what_is_no_number_is_worst(self):
        some = [Rank(group(n), alone=close(sqnr=s)) for n, s in (("a", 1.0), ("b", math.nan))]
        assert names(ranking(*some)) == ["b", "a"]


class TestShares:
    def test_add_up_to_all_that_is_lost(self):
        some = [Rank(group(n), alone=close(sqnr=s)) for n, s in (("a", 20.0), ("b", 20.0), ("c", 23.0103))]
        assert ranking(*some).shares == pytest.approx((40.0, 40.0, 20.0), rel=1e-4)

    def test_gains_count_and_losses_do_not(self):
        some = [Rank(group(n), without=close(sqnr=s)) for n, s in (("a", 23.0), ("b", 21.0), ("c", 10.0))]
        assert ranking(*some).shares == pytest.approx((75.0, 25.0, 0.0))

    def test_are_unknown_where_nothing_is_lost_or_everything(self):
        exact = [Rank(group(n), alone=close(sqnr=math.inf)) for n in "ab"]
        assert all(map(math.isnan, ranking(*exact).shares))
        lost = ranking(Rank(group("a"), alone=close(sqnr=math.nan)), Rank(group("b"), alone=close(sqnr=20.0)))
        assert math.isnan(lost.shares[0])
        assert lost.shares[1] == 100.0


class TestPlainData:
    TWO = ranking(
        Rank(group("a", 25), close(sqnr=20.0, cosine=0.9)),
        Rank(group("b", 75), close(sqnr=30.0, cosine=0.99)),
        metrics=(SQNR, COSINE),
    )

    def test_a_flat_row_has_all_figures(self):
        row = next(self.TWO.rows())
        assert row["group"] == "a"
        assert row["macs_percent"] == 25.0
        assert row["alone_sqnr"] == 20.0
        assert row["damage_percent"] == pytest.approx(100 / 1.1)
        columns = "rank group op nodes macs macs_percent bytes damage damage_percent alone_sqnr alone_cosine"
        assert list(row) == columns.split()

    def test_of_several_outputs_each_has_a_column(self):
        many = Fidelity(8, {"y": {"sqnr": 20.0}, "z": {"sqnr": 10.0}}, {}, {})
        row = next(ranking(Rank(group("a"), alone=many), full=many).rows())
        assert (row["alone_sqnr"], row["alone_sqnr_worst_output"]) == (10.0, "z")
        assert (row["alone_sqnr[y]"], row["alone_sqnr[z]"]) == (20.0, 10.0)

    def test_json_has_the_figures_of_every_output(self):
        data = self.TWO.to_json()
        assert data["metrics"] == ["sqnr", "cosine"]
        assert data["ranks"][0]["group"]["name"] == "a"
        assert data["ranks"][0]["alone"] == {"y": {"sqnr": 20.0, "cosine": 0.9}}
