"""The calibrator "auto": the calibrator whose model comes closest to FP32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.numpy_helper import from_array

import onnxq
from onnxq.pipeline.choice import MARGIN, TRIED, preferred

RNG = np.random.default_rng(0)


def model(scale=1.0):
    weight = RNG.normal(size=(64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Mul", ["h", "s"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 64])],
        [from_array(weight, "w"), from_array(np.float32(scale), "s")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def samples(outliers):
    values = RNG.normal(size=(256, 64)).astype(np.float32)
    values[::8, 0] = outliers
    return {"x": values}


class TestPreferred:
    def test_the_closest(self):
        assert preferred({"mse": 20.0, "entropy": 25.0, "percentile": 22.0, "max": 10.0}) == "entropy"

    def test_the_first_of_those_that_are_as_close(self):
        assert preferred({"mse": 20.0, "entropy": 20.0 + MARGIN / 2, "max": 20.0}) == "mse"

    def test_small_steps_do_not_add_up(self):
        assert (
            preferred({"mse": 20.0, "entropy": 20.0 + 0.6 * MARGIN, "percentile": 20.0 + 1.1 * MARGIN, "max": 0.0})
            == "percentile"
        )


class TestAuto:
    @pytest.mark.parametrize("outliers", [1.0, 1000.0])
    def test_no_calibrator_comes_closer(self, outliers):
        given, calib = model(), samples(outliers)
        auto = onnxq.quantize(given, calib, onnxq.Recipe(calibrator="auto"))
        assert tuple(auto.report.tried) == TRIED
        assert auto.report.tried[auto.report.calibrator] >= max(auto.report.tried.values()) - MARGIN
        alone = onnxq.quantize(given, calib, onnxq.Recipe(calibrator=auto.report.calibrator))
        assert auto.model.SerializeToString() == alone.model.SerializeToString()

    def test_neither_order_nor_batch_size_make_a_difference(self):
        given, calib = model(), samples(30.0)
        shuffled = {"x": calib["x"][RNG.permutation(256)]}
        recipe = onnxq.Recipe(calibrator="auto")
        one, other = (
            onnxq.quantize(given, data, recipe, execution=onnxq.Execution(batch_size=size))
            for data, size in ((calib, 32), (shuffled, 7))
        )
        assert one.model.SerializeToString() == other.model.SerializeToString()

    @pytest.mark.parametrize("kind", [list, iter, lambda feeds: lambda: feeds], ids=["list", "iterator", "function"])
    def test_feeds_of_any_kind_are_compared_on(self, kind):
        feeds = [{"x": row[np.newaxis]} for row in samples(1.0)["x"][:70]]
        auto = onnxq.quantize(model(), kind(feeds), onnxq.Recipe(calibrator="auto"))
        assert tuple(auto.report.tried) == TRIED

    def test_without_samples_it_is_mse(self):
        given, calib = model(), samples(30.0)
        statistics = onnxq.calibrate(given, calib)
        auto, mse = (onnxq.quantize(given, statistics, onnxq.Recipe(calibrator=name)) for name in ("auto", "mse"))
        assert auto.model.SerializeToString() == mse.model.SerializeToString()
        assert (auto.report.calibrator, auto.report.tried) == ("mse", {})

    def test_an_output_without_signal_decides_nothing(self):
        auto = onnxq.quantize(model(scale=0.0), samples(1.0), onnxq.Recipe(calibrator="auto"))
        assert auto.report.calibrator == TRIED[0]
