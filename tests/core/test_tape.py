"""A block forwards: as the written model computes it; backwards: against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.net import Net

from onnxq.catalog.formats import FORMATS
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.block import Block
from onnxq.core.graph import Site
from onnxq.core.layer import Layer, Stored, Tail
from onnxq.core.linear import Linear
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.tape import Tape, codes, scale, shift
from onnxq.onnx_io import view as view_of
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.rewrite import rewrite

DRAW = np.random.default_rng(0)
WEIGHTS = {"v": (8, 2, 3, 3), "w": (4, 8, 3, 3)}
EDGES = (("x", "conv1", 0), ("b", "conv2", 0), ("x", "join", 1))
ACTIVATIONS = {"x": 0.03, "b": 0.02}
X = DRAW.standard_normal((2, 4, 6, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """A residual block with a grouped convolution."""
    net = Net()
    for name, shape in WEIGHTS.items():
        net.constant(name, (0.2 * DRAW.standard_normal(shape)).astype(np.float32))
        net.constant(f"{name}_bias", (0.1 * DRAW.standard_normal(shape[0])).astype(np.float32))
    x = net.input("x", 2, 4, 6, 6)
    net.node("Conv", x, "v", "v_bias", out="a", name="conv1", group=2, pads=[1] * 4)
    net.node("Relu", "a", out="b", name="relu1")
    net.node("Conv", "b", "w", "w_bias", out="c", name="conv2", pads=[1] * 4)
    net.node("Add", "c", x, out="d", name="join")
    net.node("Clip", "d", net.constant("low", np.float32(0)), net.constant("high", np.float32(2)), out="e", name="cut")
    return net.model("e")


@pytest.fixture(scope="module")
def view(model):
    return view_of(model)


def stored(values, role="activation"):
    axis = PerAxis(0) if role == "weight" else None
    spec = Spec("int8", axis, role) if axis else Spec("int8")
    return Stored(QuantParams(np.asarray(values, np.float32), spec, "test"), INT8)


@pytest.fixture(scope="module")
def layers(view):
    found = []
    for name, tensor in (("conv1", "v"), ("conv2", "w")):
        node, weight = view.by_name[name], view.constants[tensor]
        kept = stored(np.abs(weight).max(axis=(1, 2, 3)) / 127, "weight")
        read = stored(ACTIVATIONS[node.inputs[0]])
        found.append(Layer(node, Linear.of(view, node), Site(tensor, name, 1), kept, read, Tail.of(view, node)))
    return tuple(found)


@pytest.fixture(scope="module")
def tape(view, layers):
    block = Block(view.nodes, layers, ("x",), "e")
    return Tape(block, view, {(node, index): stored(ACTIVATIONS[tensor]) for tensor, node, index in EDGES})


@pytest.fixture(scope="module")
def start(view, layers):
    return {codes(layer): layer.matrices(view) / layer.steps for layer in layers}


def test_it_computes_what_the_written_model_computes(model, view, layers, tape, start):
    activations = {name: stored(value).params for name, value in ACTIVATIONS.items()}
    scales = Scales(activations, {layer.site: layer.weight.params for layer in layers})
    sites = [*(Site(*edge) for edge in EDGES), *scales.weights]
    written = rewrite(model, view, scales, sites, {one.name: one for one in FORMATS})
    (wanted,) = onnxruntime.run(written, {"x": X}, Setup(as_written=True)).values()
    np.testing.assert_allclose(tape.play({"x": X}, start).output, wanted, atol=1e-5)


@pytest.fixture(scope="module")
def fine(tape):
    """The same block without rounding, where finite differences mean something."""

    def unrounded(kept):
        return replace(kept, format=replace(INT8, snap=lambda values: values))

    layers = tuple(replace(layer, weight=unrounded(layer.weight)) for layer in tape.block.layers)
    kept = {edge: unrounded(one) for edge, one in tape.stored.items()}
    return replace(tape, block=replace(tape.block, layers=layers), stored=kept)


@pytest.mark.parametrize("kind", [codes, shift])
@pytest.mark.parametrize("number", [0, 1])
def test_gradients_are_those_of_finite_differences(fine, start, layers, kind, number):
    parameters = start | {shift(layer): np.zeros(layer.linear.outputs) for layer in layers}
    slope = DRAW.standard_normal((2, 4, 6, 6)).astype(np.float32)
    name, tiny = kind(layers[number]), 0.02 if kind is codes else 1e-3
    along = DRAW.standard_normal(parameters[name].shape) * (np.abs(parameters[name]) < 126)

    def goal(by):
        moved = parameters | {name: parameters[name] + by * along}
        return float(np.sum(slope * fine.play({"x": X}, moved).output, dtype=np.float64))

    found = float(np.sum(fine.play({"x": X}, parameters).gradients(slope)[name] * along))
    assert (goal(tiny) - goal(-tiny)) / (2 * tiny) == pytest.approx(found, rel=0.02, abs=0.01)


def test_a_scale_grows_where_numbers_are_cut_off(tape, start):
    """Of what lies beyond the largest code, the output grows with the scale."""
    tight = {scale("x"): np.log(np.float32(0.001))}
    played = tape.play({"x": X}, start | tight)
    found = played.gradients(2 * (played.output - tape.play({"x": X}, start).output))
    assert found[scale("x")] < 0


def test_only_what_is_a_parameter_gets_a_gradient(tape, start):
    assert tape.play({"x": X}, start).gradients(np.ones((2, 4, 6, 6), np.float32)).keys() == start.keys()
