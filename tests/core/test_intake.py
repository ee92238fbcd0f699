"""What layers read in the place of preprocessed pixels: the same is computed, of numbers that are codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.moved import error, known
from tests.net import Net

from onnxq import onnx_io
from onnxq.core.chain import Chain
from onnxq.core.intake import Intake
from onnxq.core.steps import Steps
from onnxq.runtimes import onnxruntime
from onnxq.stages.rewrite import edited

CHANNELS, HEIGHT, WIDTH = 4, 9, 8
PIXELS = (Steps(0.0, 1.0, 256),)
MOST = 1e-5


def random_model(rng: np.random.Generator) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Pixels through some operators to a convolution that pads, and pixels to feed."""
    net = Net()
    is_last = bool(rng.integers(2))
    shape = (2, HEIGHT, WIDTH, CHANNELS) if is_last else (2, CHANNELS, HEIGHT, WIDTH)
    tensor = net.input("x", *shape)
    for _ in range(rng.integers(1, 5)):
        tensor = counted(net, rng, tensor, is_last)
        if is_last and rng.integers(2):
            tensor, is_last = net.node("Transpose", tensor, perm=[0, 3, 1, 2]), False
        elif not is_last and rng.integers(3) == 0:
            flat = net.node("Reshape", tensor, net.constant("flat", np.array([2, CHANNELS, -1])))
            tensor = net.node("Reshape", flat, net.constant("back", np.array([2, CHANNELS, HEIGHT, WIDTH])))
    if is_last:
        tensor = net.node("Transpose", tensor, perm=[0, 3, 1, 2])
    made = convolved(net, rng, net.node("Identity", tensor, out="read"))
    others = [net.nodes[0].output[0]] if rng.integers(3) == 0 else []
    return known(net.model(made, *others)), {"x": rng.integers(0, 256, shape).astype(np.float32)}


def counted(net: Net, rng: np.random.Generator, tensor: str, is_last: bool) -> str:
    """One operator that multiplies by a positive number or adds one, for all channels or for each."""
    op = ("Add", "Sub", "Mul", "Div")[rng.integers(4)]
    shape: Any = ((), (1,), (CHANNELS,) if is_last else (CHANNELS, 1, 1))[rng.integers(3)]
    width = 2.0 if op in ("Mul", "Div") else 100.0
    numbers = np.asarray(rng.uniform(0.3 * width, width, shape), np.float32)
    operands = tensor, net.constant(f"c{len(net.weights)}", numbers)
    return net.node(op, *(operands[::-1] if op in ("Add", "Mul") and rng.integers(2) else operands))


def convolved(net: Net, rng: np.random.Generator, tensor: str) -> str:
    group = (1, 2, CHANNELS)[rng.integers(3)]
    weight = rng.normal(size=(8, CHANNELS // group, 3, 2)).astype(np.float32)
    bias = [net.constant("bias", rng.normal(size=8).astype(np.float32))] if rng.integers(2) else []
    pads, strides = rng.integers(0, 3, 4).tolist(), rng.integers(1, 3, 2).tolist()
    return net.node("Conv", tensor, net.constant("w", weight), *bias, group=group, pads=pads, strides=strides)


def taken_in(model: onnx.ModelProto, steps: tuple[Steps, ...] = PIXELS) -> tuple[onnx.ModelProto, Intake]:
    view = onnx_io.view(model)
    (site,) = view.sites["read"]
    intake = Intake.of(view, Chain.of(view, "read", 1), steps, (site,))
    after = intake.put_into(view)
    assert after is not None
    made = edited(model, view, after)
    onnx.checker.check_model(made, full_check=True)
    return made, intake


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_is_computed_of_whole_numbers(seed):
    model, feed = random_model(np.random.default_rng(seed))
    after, intake = taken_in(model)
    assert intake.chain.start == "x"
    assert error(model, after, feed) <= MOST
    codes = onnxruntime.Session(after, (intake.made,))(feed)[intake.made]
    assert set(np.unique(codes)) <= set(range(-128, 128))
    assert [node.op for node in intake.nodes] == [*(node.op for node in intake.chain.moving), "Sub"]


@pytest.mark.parametrize(("low", "ops"), [(0, ["Sub"]), (-128, [])])
def test_only_what_codes_do_not_reach_is_shifted(low, ops):
    net = Net()
    scaled = net.node("Div", net.input("x"), net.constant("c", 64.0))
    net.node(
        "Conv",
        net.node("Sub", scaled, net.constant("d", 0.3), out="read"),
        net.constant("w", np.ones((1, 16, 1, 1), np.float32)),
        out="y",
    )
    after, intake = taken_in(known(net.model("y")), (Steps(low, 1.0, 256),))
    assert [node.op_type for node in after.graph.node] == [*ops, "Conv"]
    assert {tensor.name for tensor in after.graph.initializer} == {
        "w",
        "y_bias",
        *[f"read_centred_{op}_constant" for op in ops],
    }
    assert intake.made == ("read_centred" if ops else "x")


def test_what_others_read_stays_for_them():
    net = Net()
    scaled = net.node("Div", net.input("x"), net.constant("c", 64.0), out="scaled")
    net.node("Sub", scaled, net.constant("d", 0.3), out="read")
    net.node("Conv", "read", net.constant("w", np.ones((1, 16, 1, 1), np.float32)), out="y")
    after, _ = taken_in(known(net.model("y", "scaled")))
    assert [node.op_type for node in after.graph.node] == ["Sub", "Div", "Conv"]


def test_channels_with_other_steps_get_units_of_their_own():
    net = Net()
    net.node("Sub", net.input("x"), net.constant("d", 0.3), out="read")
    net.node("Conv", "read", net.constant("w", np.ones((1, 16, 1, 1), np.float32)), out="y", pads=[1] * 4)
    model, sizes = known(net.model("y")), np.linspace(0.5, 2.0, 16)
    after, intake = taken_in(model, tuple(Steps(0.0, float(size), 256) for size in sizes))
    pixels = np.random.default_rng(5).integers(0, 256, (1, 16, 8, 8)) * sizes.reshape(16, 1, 1)
    assert str(intake) == "Sub and Mul make whole numbers of 'x', in place of Sub."
    assert error(model, after, {"x": pixels.astype(np.float32)}) <= MOST


def test_layers_that_cannot_take_a_shift_up_refuse():
    """Where the borders are is not known."""
    net = Net()
    net.node("Sub", net.input("x", 1, 16, "h", "w"), net.constant("d", 0.3), out="read")
    net.node("Conv", "read", net.constant("w", np.ones((1, 16, 3, 3), np.float32)), out="y", pads=[1] * 4)
    view = onnx_io.view(known(net.model("y")))
    intake = Intake.of(view, Chain.of(view, "read", 1), PIXELS, view.sites["read"])
    assert intake.put_into(view) is None
    assert intake.refusal(view) == "its sizes are not known"
