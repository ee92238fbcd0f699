"""Batch, QuantParams, Target.rule, Report and Clock."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from onnxq.core.batch import Batch, is_real
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.observer import Clock, Silent
from onnxq.core.plan import Decision, Plan
from onnxq.core.report import Fidelity, Report
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.target import OpRule, Target


class TestBatch:
    @pytest.mark.parametrize(
        ("shape", "padded", "kept"),
        [
            ((5, 2), 2, (3, 2)),
            ((5,), 2, (3,)),
            ((5, 2), 0, (5, 2)),  # nothing was repeated
            ((4, 2), 2, (4, 2)),  # the first axis is not that of samples
            ((), 2, ()),
        ],
    )
    def test_repeated_samples_are_cut_off_where_the_first_axis_is_theirs(self, shape, padded, kept):
        tensor = np.arange(np.prod(shape)).reshape(shape)
        cut = Batch({}, samples=3 if padded else 5, names=("all",), padded=padded).unpadded(tensor)
        assert cut.shape == kept
        assert np.array_equal(cut, tensor[: kept[0]] if kept else tensor)

    @pytest.mark.parametrize(
        ("shape", "padded", "rows"),
        [((5, 2, 2), 2, (3, 4)), ((3, 2), 0, (3, 2)), ((3,), 0, (3, 1)), ((4, 2), 0, (1, 8)), ((), 0, (1, 1))],
    )
    def test_what_a_tensor_holds_of_each_sample_is_a_row_where_that_can_be_told(self, shape, padded, rows):
        tensor = np.arange(np.prod(shape)).reshape(shape)
        found = Batch({}, 3, ("all",), padded).by_sample(tensor)
        assert found.shape == rows
        assert np.array_equal(found.ravel(), tensor.ravel()[: found.size])

    @pytest.mark.parametrize(
        ("dtype", "real"), [("float16", True), ("float64", True), ("int8", False), ("bool", False), ("str", False)]
    )
    def test_real_numbers_are_floating_point(self, dtype, real):
        assert is_real(np.zeros(1, dtype)) == real


class TestScales:
    @pytest.mark.parametrize(("axis", "shape"), [(0, (3, 1, 1)), (1, (1, 3, 1)), (-1, (1, 1, 3)), (-3, (3, 1, 1))])
    def test_a_scale_per_channel_broadcasts_along_its_axis(self, axis, shape):
        params = QuantParams(np.ones(3, np.float32), Spec("int8", PerAxis(axis), "weight"), "weight, max")
        assert params.broadcastable(3).shape == shape

    def test_one_scale_broadcasts_as_it_is(self):
        assert QuantParams(np.array(2, np.float32), Spec("int8"), "max").broadcastable(4).shape == ()

    def test_they_say_which_scales_are_floors(self):
        weight = QuantParams(np.float32([0.5, 1]), Spec("int8", PerAxis(0), "weight"), "weight, max", floored=1)
        activation = QuantParams(np.array(0.5, np.float32), Spec("int8"), "max")
        assert list(Scales({"x": activation}, {Site("w", "n", 1): weight}).floored()) == [("w", 1)]


class TestTarget:
    RULE = OpRule("Conv", inputs=(0,), why="because", source="here")
    TARGET = Target(
        *("t", "doc", "int8", "int8", 19, (RULE,), (), ()),
        *(frozenset(), frozenset(), frozenset(), {}),
        source="here",
    )

    def test_the_rule_of_a_node_is_that_of_its_operator_in_the_standard_domain(self):
        assert self.TARGET.rule(Node("n", "Conv", (), ())) is self.RULE
        assert self.TARGET.rule(Node("n", "Relu", (), ())) is None
        assert self.TARGET.rule(Node("n", "Conv", (), (), domain="mine")) is None

    def test_a_sibling_is_a_replacement(self):
        sibling = replace(self.TARGET, name="other", rules=())
        assert sibling.rule(Node("n", "Conv", (), ())) is None


class TestReport:
    NODES = tuple(
        Node(name, op, (), ()) for name, op in [("a", "Conv"), ("b", "Conv"), ("c", "Add"), ("d", "Add"), ("e", "Exp")]
    )

    def report(self, *decisions):
        made = Plan(
            "t", "", tuple(Decision(Site("x", node, i), spec, why, "here", op) for node, i, spec, why, op in decisions)
        )
        rest = {
            "prepared": (),
            "intact": (),
            "floored": {},
            "drift": 0.0,
            "calibration_samples": 1,
            "known": ("", 0),
            "calibrator": "mse",
            "tried": {},
        }
        return Report.of(
            GraphView(self.NODES, (), (), {}, {}, {}),
            made,
            **rest,
            fidelity=Fidelity(1, {}, {}, {}),
            sizes=(2, 1),
            seconds={},
            data="calibration",
        )

    def test_operators_are_counted_where_some_of_their_nodes_are_quantized(self):
        report = self.report(
            ("a", 0, Spec("int8"), "", "Conv"), ("c", 0, Spec("int8"), "", "Add"), ("c", 1, None, "", "Add")
        )
        assert report.quantized == {"Conv": (1, 2), "Add": (1, 2)}

    def test_refusals_are_gathered_by_reason_without_names_the_commonest_first(self):
        report = self.report(
            ("e", 0, None, "no kernel", "Exp"),
            ("c", 0, None, "fused into 'a'", "Add"),
            ("c", 1, None, "fused into 'a'", "Add"),
            ("d", 0, None, "fused into 'b'", "Add"),
        )
        assert list(report.refused.items()) == [(("Add", "fused into …"), ("c", "d")), (("Exp", "no kernel"), ("e",))]

    def test_a_node_that_reads_int8_on_another_edge_is_not_refused(self):
        assert self.report(("c", 0, Spec("int8"), "", "Add"), ("c", 1, None, "a reason", "Add")).refused == {}

    def test_it_is_plain_data(self):
        data = json.loads(json.dumps(self.report(("e", 0, None, "no kernel", "Exp")).to_json()))
        assert data["refused"] == [{"op": "Exp", "reason": "no kernel", "nodes": ["e"]}]
        assert data["sizes"] == [2, 1]


class TestClock:
    def test_stages_are_announced_and_timed(self):
        told = []

        class Witness(Silent):
            def begin(self, stage):
                told.append(stage)

        clock = Clock(Witness())
        with clock.stage("plan"):
            assert told == ["plan"]
        with clock.stage("scale"):
            pass
        assert told == list(clock.seconds) == ["plan", "scale"]
        assert all(seconds >= 0 for seconds in clock.seconds.values())

    def test_a_stage_that_fails_lets_its_error_through_and_has_no_time(self):
        clock = Clock(Silent())
        with pytest.raises(KeyError, match="gone"), clock.stage("plan"):
            raise KeyError("gone")
        assert clock.seconds == {}
