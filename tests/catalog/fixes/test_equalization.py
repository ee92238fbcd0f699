"""equalization: channels that are too small for their codes are measured in other units, if that pays."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.fixes import shelved
from tests.net import Net

import onnxq
from onnxq import Recipe
from onnxq.catalog.fixes.equalization import Equalization

RANDOM = np.random.default_rng(11)
CALIB = {"x": RANDOM.normal(size=(24, 16, 8, 8)).astype(np.float32)}
SPREAD = np.exp(RANDOM.normal(0.0, 1.5, 16)).astype(np.float32)
"""How large channels are."""


def conv(net: Net, tensor: str, out: str, made=None, read=None) -> str:
    """A 1x1 convolution whose channels are larger by `made`, and that takes up how large those are that it reads."""
    weight = RANDOM.normal(size=(16, 16, 1, 1)).astype(np.float32) / 4
    weight = weight if made is None else weight * made[:, None, None, None]
    weight = weight if read is None else weight / read[None, :, None, None]
    return net.node("Conv", tensor, net.constant(f"{out}_w", weight), out=out)


def chain(activation: str = "Relu") -> onnx.ModelProto:
    """Two layers with uneven channels between them."""
    net = Net()
    first = net.node(activation, conv(net, net.input("x", "n", 16, 8, 8), "a", made=SPREAD), out="between")
    return net.model(conv(net, first, "b", read=SPREAD))


def residual() -> onnx.ModelProto:
    """A stream of uneven channels, that a block reads and adds to."""
    net = Net()
    stream = conv(net, net.input("x", "n", 16, 8, 8), "stem", made=SPREAD)
    inner = net.node("Relu", conv(net, stream, "a", read=SPREAD))
    joined = net.node("Add", conv(net, inner, "b", made=SPREAD), stream, out="sum")
    return net.model(conv(net, joined, "head", read=SPREAD))


def quantized(model, *fixes):
    return onnxq.quantize(model, CALIB, Recipe(rest="fp32", fixes=fixes), evaluation=CALIB)


def sqnr(result):
    (figures,) = result.report.fidelity.figures.values()
    return figures["sqnr"]


def attempt(result):
    (found,) = result.report.fixes.attempts
    return found


@pytest.mark.parametrize("model", [chain(), residual()], ids=["chain", "residual"])
def test_uneven_channels_gain(model):
    assert sqnr(quantized(model, "equalization")) > sqnr(quantized(model)) + 2.0


@pytest.mark.parametrize("model", [chain(), residual()], ids=["chain", "residual"])
def test_the_float_model_computes_the_same(model):
    assert attempt(quantized(model, "equalization")).drift < 1e-5


def test_it_says_how_many_units_it_changes():
    first = attempt(quantized(chain(), "equalization")).notes[0]
    assert first.startswith("16 of 16 units are changed, at strength ")


def test_what_cannot_be_rescaled_is_left_and_named():
    found = attempt(quantized(chain("Sigmoid"), "equalization"))
    assert found.notes == (
        "No channel can be rescaled.",
        "Left as they are, since nothing is known of Sigmoid: 'between'.",
    )


def test_nothing_is_changed_where_no_strength_makes_less_error(monkeypatch):
    shelved(monkeypatch, Equalization(strengths=()))
    found = attempt(quantized(chain(), "equalization"))
    assert found.notes == ("No unit is changed: the error would not get smaller.",)
    assert found.refusal == "there is nothing that it could change"
