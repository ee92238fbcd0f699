"""Lanes: numbers for channels, and which of them belong together."""

from __future__ import annotations

import numpy as np
from tests.sketch import sketch

from onnxq.core.lanes import FIXED, Lanes, Survey

VIEW = sketch("y = Relu(x)", {"x": (2, 4, 3), "y": (2, 4, 3)})


def lanes(**of):
    zeros = np.zeros(9, np.int64)
    return Lanes(of, zeros, zeros, np.zeros((3, 0), np.int64), frozenset(), {})


def test_a_tensor_whose_lanes_differ_along_one_axis_has_a_vector_of_them():
    made = lanes(a=np.array([[[1], [2]]]), b=np.array([[1, 2], [3, 4]]), c=np.zeros((1, 1), np.int64))
    assert made.vector("a").tolist() == [1, 2]
    assert made.vector("b") is None
    assert made.vector("c").tolist() == [0]
    assert made.vector("nobody") is None


class TestSurvey:
    def test_what_nothing_is_known_of_is_fixed(self):
        survey = Survey(VIEW)
        assert survey.lanes("x").tolist() == [[[FIXED]]]
        assert survey.lanes("unknown").shape == ()

    def test_new_lanes_are_all_free(self):
        survey = Survey(VIEW)
        assert survey.new((1, 2)).tolist() == [[1, 2]]
        assert survey.new((0,)).shape == (0,)
        assert survey.new((2,)).tolist() == [3, 4]
        found = survey.done()
        assert found.scales.tolist() == found.shifts.tolist() == [0, 1, 2, 3, 4]

    def test_lanes_like_others_share_their_scales_only(self):
        survey = Survey(VIEW)
        survey.like(survey.new((2,)))
        found = survey.done()
        assert found.scales.tolist() == [0, 1, 2, 1, 2]
        assert found.shifts.tolist() == [0, 1, 2, 3, 4]

    def test_scales_and_shifts_are_fixed_each_for_itself(self):
        survey = Survey(VIEW)
        ids = survey.new((3,))
        survey.fix(ids[:1], shifts=False)
        survey.fix(ids[1:2], scales=False)
        found = survey.done()
        assert found.scales.tolist() == [0, 0, 2, 3]
        assert found.shifts.tolist() == [0, 1, 0, 3]

    def test_along_an_axis_others_must_be_the_same(self):
        survey = Survey(VIEW)
        survey.of["y"] = survey.new((1, 4, 1))
        assert survey.along("y", 1, 4).tolist() == [1, 2, 3, 4]
        assert survey.along("y", -2, 4).tolist() == [1, 2, 3, 4]
        assert survey.along("y", 2, 3) is None
        assert survey.along("y", 1, 5) is None
        assert survey.along("y", 3, 4) is None
        assert survey.along("x", 1, 4).tolist() == [0, 0, 0, 0]

    def test_what_leaves_the_graph_is_left_as_it_is(self):
        survey = Survey(VIEW)
        survey.of["y"] = survey.new((1, 4, 1))
        found = survey.done()
        assert found.scales.tolist() == found.shifts.tolist() == [0] * 5

    def test_sums_are_of_classes_each_of_them_once(self):
        survey = Survey(VIEW)
        made, left, right = (survey.new((1, 2)) for _ in range(3))
        for ids in (made, left, right):
            survey.shifts.unite(ids)
        survey.sums += [(made, left, right), (made, left, right[:, :1])]
        assert survey.done().sums.T.tolist() == [[1, 3, 5]]
