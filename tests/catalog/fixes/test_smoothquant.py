"""smoothquant: outliers of LayerNormalization are handed on to the weights behind it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.net import Net

import onnxq
from onnxq import Recipe

RANDOM = np.random.default_rng(13)
CALIB = {"x": RANDOM.normal(size=(64, 6, 32)).astype(np.float32)}


def norm(outlier: float = 40.0, *, also_read: bool = False) -> onnx.ModelProto:
    """A LayerNormalization with channels that are larger than others, which two MatMuls multiply by smaller weights."""
    net = Net()
    scale = np.ones(32, np.float32)
    scale[:3] = outlier
    x = net.input("x", "n", 6, 32)
    made = net.node("LayerNormalization", x, net.constant("scale", scale), out="norm", axis=-1)
    weights = [(RANDOM.normal(size=(32, 32)) / scale[:, None]).astype(np.float32) for _ in range(2)]
    outputs = [net.node("MatMul", made, net.constant(f"w{i}", weight), out=f"y{i}") for i, weight in enumerate(weights)]
    return net.model(*outputs, *([net.node("Tanh", made, out="z")] if also_read else []))


def quantized(model, *fixes):
    return onnxq.quantize(model, CALIB, Recipe(rest="fp32", fixes=fixes), evaluation=CALIB)


def sqnr(result):
    return np.mean([figures["sqnr"] for figures in result.report.fidelity.figures.values()])


def attempt(result):
    (found,) = result.report.fixes.attempts
    return found


def test_outliers_are_smoothed():
    found = quantized(norm(), "smoothquant")
    assert sqnr(found) > sqnr(quantized(norm())) + 2.0
    assert attempt(found).notes[0].startswith("'norm' is smoothed with alpha 0.")


def test_the_float_model_computes_the_same_without_a_node_more():
    found = quantized(norm(), "smoothquant")
    assert attempt(found).drift < 1e-5
    assert len(found.model.graph.node) == len(quantized(norm()).model.graph.node)


def test_what_others_read_too_is_left():
    assert attempt(quantized(norm(also_read=True), "smoothquant")).notes == (
        "Left, since not only weights read them: norm.",
    )


def test_a_model_without_norms_is_left():
    net = Net()
    model = net.model(net.node("MatMul", net.input("x", "n", 6, 32), net.constant("w", np.eye(32, dtype=np.float32))))
    assert attempt(quantized(model, "smoothquant")).notes == ("No quantized LayerNormalization is read by weights.",)


def test_only_what_makes_less_error_for_other_values_is_done():
    """Even channels have their largest values by chance: to smooth these would clip the next ones."""
    assert attempt(quantized(norm(1.0), "smoothquant")).gain == pytest.approx(0.0, abs=0.5)
