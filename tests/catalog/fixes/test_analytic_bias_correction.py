"""analytic-bias-correction: means by what BatchNormalization knows, without a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from tests.bench import Floats
from tests.fixes import shelved

import onnxq
from onnxq import Recipe
from onnxq.catalog import fixes as shelf
from onnxq.catalog.fixes.analytic_bias_correction import AnalyticBiasCorrection
from onnxq.onnx_io import view
from onnxq.runtimes import onnxruntime

RANDOM = np.random.default_rng(5)
FIX = "analytic-bias-correction"
IMAGES = {"x": RANDOM.normal(size=(32, 16, 12, 12)).astype(np.float32)}
"""A 1x1 convolution whose rows have the length 1 makes normally distributed numbers of them, of variance 1."""


class Normals(Floats):
    """Nets whose BatchNormalizations know the truth."""

    def norm(self, tensor: str, out: str) -> str:
        """From mean 0 and variance 1 to others."""
        scale, offset = RANDOM.uniform(0.5, 1.5, 16), RANDOM.normal(size=16)
        known = {"scale": scale, "B": offset, "mean": np.zeros(16), "var": np.ones(16)}
        parameters = [self.constant(f"{out}_{name}", value) for name, value in known.items()]
        return self.node("BatchNormalization", tensor, *parameters, out=out, epsilon=1e-12)

    def branch(self, tensor: str, out: str) -> str:
        """Conv and BatchNormalization."""
        weight = RANDOM.normal(size=(16, 16, 1, 1))
        weight /= np.sqrt(np.square(weight).sum(1, keepdims=True))
        return self.norm(self.node("Conv", tensor, self.constant(f"{out}_w", weight)), out)

    def coarse(self, tensor: str, out: str, kernel: int = 1, bias: bool = True, **attributes: Any) -> str:
        """A layer of which each output has one large weight, beside which all others are rounded to 0."""
        weight = RANDOM.uniform(0.0, 0.003, size=(16, 16, kernel, kernel))
        weight[:, 0, 0, 0] = 1.0
        inputs = [tensor, self.constant(f"{out}_w", weight)]
        inputs += [self.constant(f"{out}_b", RANDOM.normal(size=16))] if bias else []
        return self.node("Conv", *inputs, out=out, **attributes)


def chain(op: str = "Relu", **attributes: Any) -> onnx.ModelProto:
    """Conv, BatchNormalization, an operator, and a coarse Conv."""
    net = Normals()
    inner = net.node(op, net.branch(net.input("x", "n", 16, 12, 12), "a"))
    return net.model(net.coarse(inner, "y", **attributes))


def residual() -> onnx.ModelProto:
    """The sum of two branches, of which one went through a Relu, and a coarse Conv behind another Relu."""
    net = Normals()
    x = net.input("x", "n", 16, 12, 12)
    joined = net.node("Add", net.branch(x, "b"), net.branch(x, "a"))
    return net.model(net.coarse(net.node("Relu", joined), "y", kernel=3, pads=[1] * 4))


CHAIN = chain()


def quantized(model: onnx.ModelProto, *fixes: str):
    return onnxq.quantize(model, IMAGES, Recipe(calibrator="max", rest="fp32", fixes=fixes), evaluation=IMAGES)


def attempt(result):
    return result.report.fixes.attempts[0]


def shift(model: onnx.ModelProto, *fixes: str) -> float:
    """By how much the means of channels of the output move, over images that nobody has seen."""
    unseen = np.random.default_rng(6).normal(size=(300, 16, 12, 12)).astype(np.float32)
    means = []
    for one in (quantized(model, *fixes).model, model):
        (values,) = onnxruntime.run(one, {"x": unseen}).values()
        means.append(values.mean((0, 2, 3), np.float64))
    return float(np.abs(means[0] - means[1]).mean())


@pytest.mark.parametrize(
    "model",
    [CHAIN, chain(kernel=3), chain(kernel=3, pads=[1] * 4), chain(bias=False), residual()],
    ids=["1x1", "3x3", "padded", "without a bias", "residual"],
)
def test_the_shift_of_the_mean_goes_away(model):
    assert shift(model, FIX) < 0.04 * shift(model)


def test_weights_stay_as_they_are():
    plain, fixed = (view(quantized(CHAIN, *fixes).model).constants for fixes in ((), (FIX,)))
    changed = [name for name, array in plain.items() if not np.array_equal(array, fixed[name])]
    assert changed == ["y_b"]


def test_it_finds_what_full_range_made_of_the_tensors():
    """There the Relu is a Clip, zeros are elsewhere, and what is padded is not."""
    model = chain(kernel=3, pads=[1] * 4)
    assert shift(model, "full-range", FIX) < 0.04 * shift(model, "full-range")


@pytest.mark.parametrize("before", ["second-order", "bias-correction"])
def test_what_others_have_put_into_biases_is_not_corrected_twice(before, monkeypatch):
    fixes = (next(fix for fix in shelf.FIXES if fix.name == before), AnalyticBiasCorrection())
    shelved(monkeypatch, *fixes)
    assert shift(CHAIN, before, FIX) < 0.04 * shift(CHAIN)


def test_nothing_is_run(monkeypatch):
    """There is neither a sample nor a runtime."""
    done = []

    def alone(_, case):
        bare = replace(case, samples=None, statistics=None, run=None, observer=None)
        done.append(original(AnalyticBiasCorrection(), bare))
        return done[0]

    original = AnalyticBiasCorrection.__call__
    monkeypatch.setattr(AnalyticBiasCorrection, "__call__", alone)
    quantized(CHAIN, FIX)
    assert done[0].notes[0] == "1 biases are corrected."


def test_layers_whose_input_has_no_known_mean_are_left_and_some_are_named():
    net = Normals()
    tensor = net.node("Sigmoid", net.branch(net.input("x", "n", 16, 12, 12), "a"))
    for number in range(5):
        tensor = net.coarse(tensor, f"y{number}")
    found = attempt(quantized(net.model(tensor), FIX))
    assert found.refusal == "there is nothing that it could change"
    assert found.notes == (
        "0 biases are corrected.",
        "Left, since no BatchNormalization tells the mean of what they read: conv_0, y0, y1 and 3 more.",
    )


def test_a_layer_that_has_no_bias_is_left():
    net = Normals()
    made = net.node("Transpose", net.branch(net.input("x", "n", 16, 12, 12), "a"), perm=[0, 2, 3, 1])
    weight = net.constant("w", RANDOM.normal(size=(16, 16)))
    found = attempt(quantized(net.model(net.node("MatMul", made, weight, out="product")), FIX))
    assert "Left, since they have no bias to be corrected: product." in found.notes


def test_a_file_without_batchnorm_is_left_without_being_judged():
    net = Normals()
    found = attempt(quantized(net.model(net.coarse(net.input("x", "n", 16, 12, 12), "y")), FIX))
    assert found.notes == ("Nothing is known of means: the file has no BatchNormalization.",)
    assert found.refusal == "there is nothing that it could change"
    assert found.decibels is None
