"""What stays in FP32, and why: small nets, measured on numbers of a known size, of which nothing is quantized."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.net import Net

import onnxq
from onnxq.core.report import RestReport
from onnxq.pipeline.product import judged
from onnxq.runtimes import onnxruntime

ROWS, COLUMNS = 32, 16


def net(build: Callable[[Net, str], str]) -> onnx.ModelProto:
    """A net from x (1, 16) through what `build` adds between two products, so that neither side is an interface."""
    made = Net()
    for name in ("w0", "w1"):
        made.constant(name, np.eye(COLUMNS, dtype=np.float32))
    inside = build(made, made.node("MatMul", made.input("x", "n", COLUMNS), "w0", out="into"))
    made.node("MatMul", inside, "w1", out="y")
    return made.model("y")


def numbers(low: float, high: float) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).uniform(low, high, (ROWS, COLUMNS)).astype(np.float32)}


def quantized(model: onnx.ModelProto, data: dict[str, np.ndarray], **recipe: object) -> onnxq.Result:
    return onnxq.quantize(model, data, onnxq.Recipe(**{"rest": "fp16", "int8": False} | recipe))


def kept(model: onnx.ModelProto, data: dict[str, np.ndarray], **recipe: object) -> dict[str, str]:
    """Node -> the reason why it is in FP32."""
    rest: RestReport | None = quantized(model, data, **recipe).report.rest
    assert rest is not None
    return {node: reason for (_, reason), nodes in rest.kept.items() for node in nodes}


def one(op: str, *more: str, **attributes: object) -> onnx.ModelProto:
    """A net with one node `op` called "it" in the middle."""

    def build(made: Net, tensor: str) -> str:
        inputs = [tensor, *(made.constant(f"c{i}", np.float32(number)) for i, number in enumerate(more))]
        return made.node(op, *inputs, name="it", out="made", **attributes)

    return net(build)


class TestRanges:
    def test_numbers_far_from_the_end_are_converted(self):
        assert kept(one("Relu"), numbers(-100, 100)) == {}

    @pytest.mark.parametrize(("peak", "stays"), [(10_000, False), (20_000, True), (1e6, True)])
    def test_numbers_that_may_reach_the_end_with_a_factor_of_4_to_spare_stay(self, peak, stays):
        reasons = kept(one("Neg"), numbers(-peak, peak))
        assert ("it" in reasons) == stays
        assert not stays or "too close to the 65504 where FP16 ends" in reasons["it"]

    def test_bf16_has_room_for_them(self):
        assert kept(one("Neg"), numbers(-1e6, 1e6), rest="bf16") == {}

    def test_numbers_below_the_smallest_with_all_digits_stay(self):
        assert "where FP16 loses digits" in kept(one("Neg"), numbers(-1e-6, 1e-6))["it"]

    def test_a_constant_beyond_the_end_stays(self):
        assert "its constant … holds 1e+05, more than FP16 can" in kept(one("Div", "1e5"), numbers(-1, 1))["it"]

    def test_a_constant_that_would_vanish_stays(self):
        assert (
            "its constant … holds 1e-08, of which FP16 keeps too little"
            in kept(one("Add", "1e-8"), numbers(-1, 1))["it"]
        )


class TestOperators:
    @pytest.mark.parametrize(
        ("op", "attributes", "range_", "reason"),
        [
            ("Exp", {}, (-1, 1), None),
            ("Exp", {}, (-200, 0), r"its exponents reach 2"),
            ("Softmax", {}, (-300, 300), r"its exponents reach 3"),
            ("Reciprocal", {}, (1, 2), None),
            ("Reciprocal", {}, (1e-4, 1e-2), r"comes as close to 0 as"),
            ("Sqrt", {}, (1e-4, 1e-2), r"comes as close to 0 as"),
            ("ReduceSum", {"keepdims": 1}, (0, 100), None),
            ("ReduceSum", {"keepdims": 1}, (-2000, 2000), r"its sums of 16 numbers may reach 3"),
            ("ReduceL2", {"keepdims": 1}, (0, 10), None),
            ("ReduceL2", {"keepdims": 1}, (0, 100), r"its sums of squares may reach"),
            ("CumSum", {}, (-1, 1), r"it sums without bound"),
        ],
    )
    def test_what_is_dangerous_depends_on_what_was_measured(self, op, attributes, range_, reason):
        def build(made: Net, tensor: str) -> str:
            axes = ["axes"] if op.startswith("Reduce") or op == "CumSum" else []
            if axes:
                made.constant("axes", np.array([1], np.int64) if op != "CumSum" else np.int64(1))
            summed = made.node(op, tensor, *axes, name="it", out="made", **attributes)
            return made.node("Add", tensor, summed, out="joined") if op.startswith("Reduce") else summed

        found = kept(net(build), numbers(*range_)).get("it")
        assert (found is None) if reason is None else (found is not None and reason in found)

    def test_a_divisor_that_may_be_0_stays(self):
        def build(made: Net, tensor: str) -> str:
            share = made.node("Sigmoid", tensor, out="s")
            return made.node("Div", share, share, name="it", out="d")

        assert kept(net(build), numbers(-1, 1))["it"] == "… may be close to 0, where FP16 loses digits"

    def test_ranking_stays_in_fp32(self):
        def build(made: Net, tensor: str) -> str:
            made.constant("k", np.array([COLUMNS], np.int64))
            made.nodes.append(helper.make_node("TopK", [tensor, "k"], ["best", "which"], "it"))
            return "best"

        assert kept(net(build), numbers(-1, 1))["it"] == "it ranks numbers, and rounding makes ties"

    def test_whole_numbers_that_become_indices_stay_exact(self):
        def build(made: Net, tensor: str) -> str:
            large = made.node("Mul", tensor, made.constant("c", 3000.0), name="scaled", out="l")
            whole = made.node("Cast", large, name="to_int", out="i", to=TensorProto.INT64)
            back = made.node("Cast", whole, name="back", out="f", to=TensorProto.FLOAT)
            return made.node("Mul", back, made.constant("d", 1e-3), name="shrunk", out="s")

        reasons = kept(net(build), numbers(0, 1))
        assert "whole numbers up to 3" in reasons["to_int"]
        assert "scaled" in reasons


class TestIslands:
    """Between two sums that stay in FP32."""

    def kept(self, *between: str) -> set[str]:
        def build(made: Net, tensor: str) -> str:
            made.constant("axis", np.int64(1))
            made.constant("w2", np.eye(COLUMNS, dtype=np.float32))
            tensor = made.node("CumSum", tensor, "axis", name="first", out="f")
            for op in between:
                tensor = made.node(op, tensor, *(["w2"] if op == "MatMul" else []), name=op, out=f"of_{op}")
            return made.node("CumSum", tensor, "axis", name="last", out="l")

        reasons = kept(net(build), numbers(-1, 1))
        islands = {node for node, reason in reasons.items() if "it lies between nodes in FP32" in reason}
        assert set(reasons) - islands == {"first", "last"}
        return islands

    def test_cheap_nodes_stay_too_which_saves_casts(self):
        assert self.kept("Tanh", "Neg") == {"Tanh", "Neg"}

    def test_a_product_is_worth_its_casts(self):
        assert self.kept("Tanh", "MatMul", "Neg") == set()


class TestBodies:
    @pytest.fixture
    def branching(self) -> onnx.ModelProto:
        """If, whose branches read a tensor of the outer graph and compute with it."""

        def build(made: Net, tensor: str) -> str:
            total = made.node("ReduceSum", tensor, name="total", out="t", keepdims=0)
            go = made.node("Greater", total, made.constant("zero", 0.0), name="go", out="g")
            result = [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)]
            one, other = (
                helper.make_graph([helper.make_node(op, [tensor], ["out"], f"in_{op}")], op, [], result)
                for op in ("Neg", "Abs")
            )
            made.nodes.append(helper.make_node("If", [go], ["chosen"], "choose", then_branch=one, else_branch=other))
            return made.node("Relu", "chosen", name="behind", out="b")

        return net(build)

    def test_bodies_stay_as_they_are_and_what_lies_behind_is_converted(self, branching):
        reasons = kept(branching, numbers(-1, 1))
        assert reasons["choose"] == "its bodies stay as they are"
        assert "behind" not in reasons

    def test_the_whole_is_consistent_and_computes_the_same(self, branching):
        data = numbers(-1, 1)
        made = quantized(branching, data)
        onnx.checker.check_model(made.model, full_check=True)
        before, after = (onnxruntime.run(model, data)["y"] for model in (branching, judged(made.model)))
        assert np.abs(before - after).max() < 0.01

    def test_a_loop_is_consistent_too(self):
        def build(made: Net, tensor: str) -> str:
            made.constant("trips", np.int64(3))
            made.constant("go", np.bool_(True))
            nodes = [
                helper.make_node("Identity", ["c"], ["c_out"], "keep_on"),
                helper.make_node("Add", ["s", tensor], ["s_out"], "sum"),
            ]
            given = [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                helper.make_tensor_value_info("s", TensorProto.FLOAT, ["n", COLUMNS]),
            ]
            results = [
                helper.make_tensor_value_info("c_out", TensorProto.BOOL, []),
                helper.make_tensor_value_info("s_out", TensorProto.FLOAT, ["n", COLUMNS]),
            ]
            body = helper.make_graph(nodes, "body", given, results)
            made.nodes.append(helper.make_node("Loop", ["trips", "go", tensor], ["summed"], "loop", body=body))
            return "summed"

        model, data = net(build), numbers(-1, 1)
        made = quantized(model, data).model
        before, written, after = (onnxruntime.run(m, data)["y"] for m in (model, made, judged(made)))
        assert np.abs(before - written).max() < 0.02
        assert np.abs(before - after).max() < 0.02


class TestOverflow:
    """Activations near 1e5, which FP16 cannot hold: the result stays exact, in true half precision."""

    @pytest.fixture
    def peaking(self) -> onnx.ModelProto:
        rng = np.random.default_rng(0)
        made = Net()
        for index, shrink in enumerate((1.0, 1e5, 1.0)):
            made.constant(f"w{index}", (rng.normal(0, 0.2, (16, 16, 3, 3)) / shrink).astype(np.float32))
        first = made.node("Conv", made.input("x", "n", 16, 8, 8), "w0", name="first", out="a", pads=[1] * 4)
        tall = made.node("Mul", made.node("Relu", first, out="b"), made.constant("gain", 2.5e4), name="gain", out="c")
        back = made.node("Conv", tall, "w1", name="back", out="d", pads=[1] * 4)
        made.node("Conv", made.node("Relu", back, out="e"), "w2", name="last", out="y", pads=[1] * 4)
        return made.model("y")

    def decibels(self, peaking: onnx.ModelProto, **recipe: object) -> float:
        rng = np.random.default_rng(1)
        calib, held_out = ({"x": rng.normal(size=(32, 16, 8, 8)).astype(np.float32)} for _ in range(2))
        made = onnxq.quantize(peaking, calib, onnxq.Recipe(**recipe), evaluation=held_out)
        assert made.report.fidelity is not None
        return made.report.fidelity.figures["y"]["sqnr"]

    def test_the_net_goes_beyond_fp16(self, peaking):
        x = np.random.default_rng(1).normal(size=(32, 16, 8, 8)).astype(np.float32)
        tapped = onnx.ModelProto()
        tapped.CopyFrom(peaking)
        tapped.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
        assert onnxruntime.run(tapped, {"x": x})["c"].max() > 65504

    def test_int8_with_a_rest_in_fp16_is_as_close_as_with_fp32(self, peaking):
        assert self.decibels(peaking, rest="fp16") >= self.decibels(peaking, rest="fp32") - 0.3

    def test_fp16_alone_is_exact(self, peaking):
        assert self.decibels(peaking, int8=False) > 60


class TestInterfaces:
    def types(self, **recipe: object) -> list[int]:
        graph = quantized(one("Relu"), numbers(-1, 1), **recipe).model.graph
        return [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]

    def test_inputs_and_outputs_keep_their_type(self):
        assert self.types() == [TensorProto.FLOAT, TensorProto.FLOAT]

    @pytest.mark.parametrize(("rest", "low"), [("fp16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16)])
    def test_unless_asked_otherwise(self, rest, low):
        assert self.types(rest=rest, low_io=True) == [low, low]

    def test_casts_stand_at_the_model_s_ends_alone(self):
        graph = quantized(one("Relu"), numbers(-1, 1)).model.graph
        assert [node.op_type for node in graph.node] == ["Cast", "MatMul", "Relu", "MatMul", "Cast"]

    def test_a_low_interface_needs_a_low_type(self):
        with pytest.raises(onnxq.errors.RecipeError, match="no lower type for --io-types"):
            quantized(one("Relu"), numbers(-1, 1), rest="fp32", int8=True, low_io=True)
