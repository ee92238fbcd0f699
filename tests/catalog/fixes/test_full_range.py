"""full-range: what becomes of Relu, biases, padded convolutions and sums, and what it gains."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.net import Net

import onnxq
from onnxq import Recipe
from onnxq.onnx_io import view
from onnxq.pipeline.linting import lint

RANDOM = np.random.default_rng(7)
CALIB = {"x": RANDOM.normal(size=(16, 16, 8, 8)).astype(np.float32)}


def weight(*shape):
    return RANDOM.normal(size=shape).astype(np.float32) / np.sqrt(np.prod(shape[1:])).astype(np.float32)


class Floats(Net):
    """Nets of float convolutions."""

    def float_conv(self, tensor: str, out: str, kernel: int, **attributes) -> str:
        inputs = [tensor, self.constant(f"{out}_w", weight(16, 16, kernel, kernel))]
        inputs.append(self.constant(f"{out}_b", weight(16, 1).ravel()))
        return self.node("Conv", *inputs, out=out, **attributes)


def chain(kernel: int, pads: int) -> onnx.ModelProto:
    """Conv, Relu, Conv."""
    net = Floats()
    first = net.node("Relu", net.float_conv(net.input("x", 1, 16, 8, 8), "a", 1), out="relu")
    return net.model(net.float_conv(first, "b", kernel, pads=[pads] * 4))


def residual() -> onnx.ModelProto:
    """Two blocks with a stream around them."""
    net = Floats()
    stream = net.node("Relu", net.float_conv(net.input("x", 1, 16, 8, 8), "stem", 3, pads=[1] * 4), out="stream0")
    for block in range(2):
        inner = net.node("Relu", net.float_conv(stream, f"a{block}", 3, pads=[1] * 4))
        joined = net.node("Add", net.float_conv(inner, f"b{block}", 3, pads=[1] * 4), stream, out=f"sum{block}")
        stream = net.node("Relu", joined, out=f"stream{block + 1}")
    return net.model(net.float_conv(stream, "head", 1))


def quantized(model, *fixes, rest="fp32"):
    return onnxq.quantize(model, CALIB, Recipe(rest=rest, fixes=fixes), evaluation=CALIB)


def sqnr(result):
    (figures,) = result.report.fidelity.figures.values()
    return figures["sqnr"]


def nodes(result, op):
    return [node for node in view(result.model).nodes if node.op == op]


def scale(result, tensor):
    return float(result.scales.activations[tensor].scale)


def test_a_relu_becomes_a_clip_at_minus_half_the_range_and_the_scale_is_halved():
    plain, shifted = quantized(chain(1, 0)), quantized(chain(1, 0), "full-range")
    (clip,) = nodes(shifted, "Clip")
    (low,) = (float(view(shifted.model).constants[tensor]) for tensor in clip.inputs[1:])
    assert not nodes(shifted, "Relu")
    assert scale(shifted, "relu") == pytest.approx(scale(plain, "relu") / 2, rel=0.25)
    assert low == -128 * scale(shifted, "relu")


def test_biases_take_the_shift_up_so_no_node_is_added():
    assert len(nodes(quantized(chain(1, 0), "full-range"), "Add")) == 0


def test_a_convolution_that_pads_gets_a_constant_behind():
    result = quantized(chain(3, 1), "full-range")
    (add,) = nodes(result, "Add")
    (constant,) = (view(result.model).constants[t] for t in add.inputs if t in view(result.model).constants)
    assert constant.shape == (1, 16, 8, 8)
    assert np.abs(constant[:, :, 1:-1, 1:-1]).max() < 1e-6
    assert np.abs(constant[:, :, 0]).max() > 1e-3


@pytest.mark.parametrize("model", [chain(1, 0), chain(3, 1), residual()], ids=["1x1", "padded", "residual"])
def test_the_float_model_computes_what_it_did(model):
    fixes = quantized(model, "full-range").report.fixes
    (attempt,) = fixes.attempts
    assert attempt.drift < 1e-5


@pytest.mark.parametrize(("model", "gain"), [(chain(3, 1), 1.0), (residual(), 2.0)], ids=["chain", "residual"])
def test_it_gains(model, gain):
    assert sqnr(quantized(model, "full-range")) > sqnr(quantized(model)) + gain


def test_the_streams_of_residual_blocks_are_shifted_with_all_that_they_sum_up():
    result = quantized(residual(), "full-range")
    assert not nodes(result, "Relu")
    assert not lint(result.model)


def test_what_lies_around_zero_is_left_as_it_is():
    net = Floats()
    kernels = [net.constant(name, weight(16, 16, 1, 1)) for name in ("a", "b")]
    inner = net.node("Conv", net.input("x", 1, 16, 8, 8), kernels[0])
    result = quantized(net.model(net.node("Conv", inner, kernels[1])), "full-range")
    (attempt,) = result.report.fixes.attempts
    assert attempt.notes == ("No activation is shifted: none would be stored any finer.",)


def test_half_precision_does_as_well():
    assert sqnr(quantized(residual(), "full-range", rest="fp16")) > sqnr(quantized(residual(), rest="fp16")) + 1.5


def products() -> onnx.ModelProto:
    """MatMul, Add, Relu, three times: what a MatMul makes alone has another shift for other weights."""
    net = Net()
    made = net.input("x", 16, 64)
    for number in range(3):
        made = net.node("MatMul", made, net.constant(f"w{number}", weight(64, 64)), out=f"product{number}")
        made = net.node("Add", made, net.constant(f"b{number}", weight(64, 1).ravel()), out=f"sum{number}")
        made = net.node("Relu", made, out=f"relu{number}") if number < 2 else made
    return net.model(made)


@pytest.mark.parametrize("fix", ["second-order", "bias-correction", "adaround", "reconstruction"])
@pytest.mark.parametrize("model", [products, residual])
def test_weights_are_rounded_to_what_shifts_were_worked_out_for(model, fix):
    data = {"x": RANDOM.normal(size=(256, 64)).astype(np.float32)} if model is products else CALIB
    made = model()

    def found(*fixes):
        return sqnr(onnxq.quantize(made, data, Recipe(rest="fp32", fixes=fixes), evaluation=data))

    assert found("full-range", fix) > found("full-range") + (0.3 if fix == "second-order" else -0.05)
