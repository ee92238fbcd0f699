"""Scales that are known beforehand: taken to the bit, and what they leave open is measured or refused."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.graph import GraphView, Site
from onnxq.core.known_scales import NOTHING_KNOWN, KnownScales
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import Spec
from onnxq.core.statistics import Statistics
from onnxq.core.tally import measured as of
from onnxq.errors import DataError
from onnxq.stages.scale import FLOOR, lacking, scale

VIEW = GraphView((), (), (), {}, {}, {})


def plan_of(tensors, ties=(), refused=()):
    made = [Decision(Site(tensor, "n", i), Spec("int8"), "because", "here") for i, tensor in enumerate(tensors)]
    made += [Decision(Site(tensor, "m", i), None, "because", "here") for i, tensor in enumerate(refused)]
    return Plan("tensorrt", "", tuple(made), ties)


def known(**scales):
    return KnownScales("TensorRT cache", {tensor: np.float32(number) for tensor, number in scales.items()})


def scaled(plan, known, **values):
    """The scale and the source of each activation; only those with `values` were measured."""
    measured = {tensor: of(np.float32(array)) for tensor, array in values.items()}
    found = scale(plan, VIEW, Statistics("", measured), {"int8": INT8}, (Max(), Max()), known).activations
    return {tensor: (params.scale[()], params.source) for tensor, params in found.items()}


def test_a_known_scale_is_taken_to_the_bit_and_says_where_it_is_from():
    odd = np.uint32(0x3C010A15).view(np.float32)
    plan = plan_of(["x"])
    params = scale(plan, VIEW, Statistics("", {}), {"int8": INT8}, (Max(), Max()), known(x=odd)).activations["x"]
    assert params.scale.tobytes() == odd.tobytes()
    assert (params.scale.dtype, params.scale.shape) == (np.float32, ())
    assert (params.source, params.floored) == ("TensorRT cache", 0)


def test_a_known_scale_wins_over_what_was_measured():
    assert scaled(plan_of(["x"]), known(x=0.5), x=[127]) == {"x": (0.5, "TensorRT cache")}


def test_what_is_not_known_is_measured():
    both = scaled(plan_of(["x", "y"]), known(y=0.5), x=[127])
    assert both == {"x": (1.0, "max"), "y": (0.5, "TensorRT cache")}


def test_a_known_scale_too_small_to_divide_by_gets_the_smallest_and_is_reported():
    plan = plan_of(["x"])
    made = scale(plan, VIEW, Statistics("", {}), {"int8": INT8}, (Max(), Max()), known(x=1e-40))
    assert made.activations["x"].scale == np.float32(FLOOR)
    assert dict(made.floored()) == {"x": 1}


class TestTies:
    def test_all_take_the_largest_known_scale(self):
        tied = scaled(plan_of(["a", "b", "c"], ties=(("a", "b"),)), known(a=0.5, b=2.0, c=1.0))
        assert tied == {
            "a": (2.0, "TensorRT cache, shared with 'b'"),
            "b": (2.0, "TensorRT cache, shared with 'a'"),
            "c": (1.0, "TensorRT cache"),
        }

    def test_those_without_a_known_scale_go_along_unmeasured(self):
        plan = plan_of(["a", "b", "c"], ties=(("a", "b", "c"),))
        assert lacking(plan, known(b=2.0)) == ()
        assert [number for number, _ in scaled(plan, known(b=2.0)).values()] == [2.0, 2.0, 2.0]

    def test_a_member_that_stays_in_float_does_not_count(self):
        plan = plan_of(["a", "b"], ties=(("a", "float", "b"),), refused=["float"])
        assert lacking(plan, known(float=2.0)) == ("a", "b")
        assert scaled(plan, known(float=2.0), a=[127], b=[254])["a"] == (2.0, "max, shared with 'b'")

    @pytest.mark.parametrize("given", [{}, {"a": 1.0}, {"b": 1.0}, {"c": 1.0}], ids=str)
    def test_what_is_lacking_suffices_even_where_an_edited_plan_has_groups_that_overlap(self, given):
        plan = plan_of(["a", "b", "c"], ties=(("a", "b"), ("b", "c")))
        measured = {tensor: [127] for tensor in lacking(plan, known(**given))}
        assert scaled(plan, known(**given), **measured).keys() == {"a", "b", "c"}


class TestLacking:
    def test_everything_if_nothing_is_known(self):
        assert lacking(plan_of(["b", "a"], refused=["c"]), NOTHING_KNOWN) == ("b", "a")

    def test_in_the_order_of_the_plan(self):
        plan = plan_of(["d", "c", "b", "a"], ties=(("a", "d"),))
        assert lacking(plan, known(c=1.0)) == ("d", "b", "a")

    def test_nothing_if_everything_is_known(self):
        assert lacking(plan_of(["a", "b"]), known(a=1.0, b=1.0, stranger=1.0)) == ()


class TestRefusals:
    def test_names_what_has_neither_a_known_scale_nor_statistics(self):
        message = (
            "^Neither the TensorRT cache nor measurements give a scale to 2 of the 4 activations to be quantized: 'b', "
            "'d'. Give calibration data to measure them, or leave their readers in float.$"
        )
        with pytest.raises(DataError, match=message):
            scaled(plan_of(["a", "b", "c", "d"]), known(a=1.0), c=[1])

    def test_names_the_first_five(self):
        with pytest.raises(DataError, match=r"to 7 of the 8 .*: 'b', 'c', 'd', 'e', 'f' and 2 more. Give"):
            scaled(plan_of("abcdefgh"), known(a=1.0))

    def test_without_known_scales_too(self):
        with pytest.raises(DataError, match="Neither the known scales nor measurements give a scale to 1 of the 1"):
            scaled(plan_of(["x"]), NOTHING_KNOWN)
