"""first-layer: inputs that hold pixels are stored exactly, with nothing in front where a scale does it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx.numpy_helper import to_array
from tests.net import Net

import onnxq
from onnxq import Recipe
from onnxq.onnx_io import view
from onnxq.pipeline.linting import lint
from onnxq.runtimes import onnxruntime

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (24, 3, 8, 8)).astype(np.float32)
MEAN, DEVIATION = np.array([123.7, 116.3, 103.5]).reshape(3, 1, 1), np.array([58.4, 57.1, 57.4]).reshape(3, 1, 1)
NORMALIZED = ((PIXELS - MEAN) / DEVIATION).astype(np.float32)
CENTRED = (PIXELS - 128) / 128
RAW = PIXELS


def model():
    """A convolution of images."""
    net = Net()
    kernel = net.constant("w", RANDOM.normal(size=(16, 3, 3, 3)).astype(np.float32) / 5)
    bias = net.constant("b", RANDOM.normal(size=16).astype(np.float32))
    net.node("Conv", net.input("x", 1, 3, 8, 8), kernel, bias, out="y", pads=[1] * 4)
    return net.model("y")


MODEL = model()


def quantized(images, *fixes, skip=()):
    """The Conv has three input channels, which the target advises against."""
    data = {"x": images}
    recipe = Recipe(rest="fp32", fixes=fixes, include=("op:Conv",), skip=skip)
    return onnxq.quantize(MODEL, data, recipe, evaluation=data)


def front(result):
    graph = view(result.model)
    return [node.op for node in graph.nodes if node.op in ("Sub", "Mul")]


def notes(result):
    (attempt,) = result.report.fixes.attempts
    return attempt.notes


def sqnr(result):
    return result.report.fidelity.figures["y"]["sqnr"]


def test_channels_with_different_steps_are_shifted_and_rescaled_in_front():
    plain, exact = quantized(NORMALIZED), quantized(NORMALIZED, "first-layer")
    assert front(exact) == ["Sub", "Mul"]
    assert notes(exact) == ("Sub and Mul make whole numbers of 'x'.",)
    assert [float(p.scale) for p in exact.scales.activations.values()] == [1 / 128]
    assert sqnr(exact) > sqnr(plain) + 1.0


def test_raw_pixels_are_shifted_alone():
    exact = quantized(RAW, "first-layer")
    assert front(exact) == ["Sub"]
    assert [float(p.scale) for p in exact.scales.activations.values()] == [1.0]


def test_pixels_around_zero_need_a_scale_alone():
    exact = quantized(CENTRED, "first-layer")
    assert front(exact) == []
    assert notes(exact) == ("'x' has a scale of one step, 0.0078125.",)
    assert [float(p.scale) for p in exact.scales.activations.values()] == [1 / 128]


@pytest.mark.parametrize("images", [NORMALIZED, RAW, CENTRED], ids=["normalized", "raw", "centred"])
def test_what_is_left_is_the_error_of_the_weights(images):
    """The input adds none: with the weights in float too, nothing would be lost."""
    exact = quantized(images, "first-layer")
    (params,) = exact.scales.activations.values()
    (name,) = exact.scales.activations
    graph = view(exact.model)
    quantize = next(node for node in graph.nodes if node.op == "QuantizeLinear")
    assert quantize.inputs[0] == name
    run = onnxruntime.Session(exact.model, [name])
    read = np.concatenate([run({"x": images[n : n + 1]})[name] for n in range(len(images))])
    codes = read / params.scale
    assert np.abs(codes - np.round(codes)).max() < 0.01
    assert codes.min() > -128.01
    assert codes.max() < 128.01


@pytest.mark.parametrize("images", [NORMALIZED, RAW], ids=["normalized", "raw"])
def test_the_float_model_computes_what_it_did(images):
    (attempt,) = quantized(images, "first-layer").report.fixes.attempts
    assert attempt.drift < 1e-5


def test_numbers_that_lie_on_no_steps_are_left():
    result = quantized(RANDOM.normal(size=(24, 3, 8, 8)).astype(np.float32), "first-layer")
    assert front(result) == []
    assert notes(result) == ("The numbers of 'x' lie on no even steps, or on more than 256.",)


def test_the_plan_is_the_one_that_was_made_for_the_model():
    """So it can be given again, with the same fixes."""
    result = quantized(NORMALIZED, "first-layer")
    data = {"x": NORMALIZED}
    recipe = Recipe(rest="fp32", fixes=("first-layer",))
    again = onnxq.quantize(MODEL, data, recipe, plan=result.plan, evaluation=data)
    assert again.model.SerializeToString() == result.model.SerializeToString()


def test_what_comes_out_passes_lint():
    assert not lint(quantized(NORMALIZED, "first-layer").model)


def preprocessed(*, raw: bool):
    """The same convolution of pixels, behind preprocessing that is part of the graph."""
    net = Net()
    net.weights.update({name: to_array(tensor) for name, tensor in zip("wb", MODEL.graph.initializer, strict=True)})
    tensor = net.input("x", *((1, 8, 8, 3) if raw else (1, 3, 8, 8)))
    tensor = net.node("Cast", tensor, to=1) if raw else tensor
    axes = (3,) if raw else (3, 1, 1)
    for op, value in (("Div", 255.0), ("Sub", MEAN.ravel() / 255), ("Div", DEVIATION.ravel() / 255)):
        constant = np.float32(value) if np.ndim(value) == 0 else value.astype(np.float32).reshape(axes)
        tensor = net.node(op, tensor, net.constant(f"c{len(net.weights)}", constant))
    tensor = net.node("Transpose", tensor, perm=[0, 3, 1, 2]) if raw else tensor
    net.node("Conv", tensor, "w", "b", out="y", pads=[1] * 4)
    model = net.model("y")
    if raw:
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return model, (PIXELS.transpose(0, 2, 3, 1).astype(np.uint8) if raw else PIXELS)


@pytest.mark.parametrize("raw", [False, True], ids=["float", "bytes of images"])
@pytest.mark.parametrize("rest", ["fp32", "fp16"])
def test_preprocessing_in_the_graph_goes_into_the_weights(raw, rest):
    model, pixels = preprocessed(raw=raw)
    data = {"x": pixels}
    recipe = Recipe(rest=rest, include=("op:Conv",))
    plain = onnxq.quantize(model, data, recipe, evaluation=data)
    exact = onnxq.quantize(model, data, replace(recipe, fixes=("first-layer",)), evaluation=data)
    (attempt,) = exact.report.fixes.attempts
    start = next((node.output[0] for node in model.graph.node if node.op_type == "Cast"), "x")
    assert attempt.notes == (f"Sub makes whole numbers of '{start}', in place of Div, Sub, Div.",)
    assert attempt.drift < 1e-5
    assert front(exact) == ["Sub"]
    assert "Div" in [node.op for node in view(plain.model).nodes]
    assert "Div" not in [node.op for node in view(exact.model).nodes]
    assert [float(params.scale) for params in exact.scales.activations.values()] == [1.0]
    assert sqnr(exact) > sqnr(plain) + 1.0
    assert not lint(exact.model)
    again = onnxq.quantize(model, data, replace(recipe, fixes=("first-layer",)), plan=exact.plan, evaluation=data)
    assert again.model.SerializeToString() == exact.model.SerializeToString()


def test_what_turns_numbers_around_is_left():
    net = Net()
    net.weights.update({name: to_array(tensor) for name, tensor in zip("wb", MODEL.graph.initializer, strict=True)})
    dark = net.node("Sub", net.constant("white", 255.0), net.input("x", 1, 3, 8, 8), out="dark")
    net.node("Conv", dark, "w", "b", out="y", pads=[1] * 4)
    data = {"x": PIXELS}
    recipe = Recipe(rest="fp32", fixes=("first-layer",), include=("op:Conv",))
    assert notes(onnxq.quantize(net.model("y"), data, recipe, evaluation=data)) == (
        "What makes 'dark' of 'x' turns numbers around, so it is left.",
    )
