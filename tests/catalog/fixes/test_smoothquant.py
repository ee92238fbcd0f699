"""smoothquant: outliers of LayerNormalization are handed on to the weights behind it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.net import Net

import onnxq
from onnxq import Recipe
from onnxq.pipeline.course import IDLE
from onnxq.pipeline.linting import lint
from onnxq.runtimes.tensorrt import compile_ahead_of_time, compute_nodes, int8_nodes

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
        "Left, since not only weights read their channels: 'norm'.",
    )


def test_a_model_without_norms_is_left():
    net = Net()
    model = net.model(net.node("MatMul", net.input("x", "n", 6, 32), net.constant("w", np.eye(32, dtype=np.float32))))
    assert attempt(quantized(model, "smoothquant")).notes == (
        "Nothing that MatMul and Gemm read is smoothed: there is none, or the error would not get smaller.",
    )


def test_only_what_makes_less_error_for_other_values_is_done():
    """Even channels have their largest values by chance: to smooth these would clip the next ones."""
    assert attempt(quantized(norm(1.0), "smoothquant")).gain == pytest.approx(0.0, abs=0.5)


def normalized(net: Net, x: str, scale: np.ndarray, *, bias: bool = True) -> str:
    """LayerNormalization as it was exported before it was an operator, or without a bias as an RMSNorm is."""
    centred = net.node("Sub", x, net.node("ReduceMean", x, axes=[-1])) if bias else x
    squares = net.node("Pow", centred, net.constant("two", 2.0))
    variance = net.node("Add", net.node("ReduceMean", squares, axes=[-1]), net.constant("least", 1e-5))
    made = net.node("Div", centred, net.node("Sqrt", variance))
    made = net.node("Mul", made, net.constant("scale", scale), out="scaled")
    return net.node("Add", made, net.constant("bias", scale[::-1] / 50), out="norm") if bias else made


def outliers() -> np.ndarray:
    return np.array([40.0] * 3 + [1.0] * 29, np.float32)


def weight(net: Net, name: str) -> str:
    """Smaller numbers for the larger channels."""
    return net.constant(name, (RANDOM.normal(size=(32, 32)) / outliers()[:, None]).astype(np.float32))


@pytest.mark.parametrize("bias", [True, False], ids=["LayerNormalization", "RMSNorm"])
def test_norms_in_many_nodes_are_smoothed_in_their_constants(bias):
    net = Net(opset=13)
    made = normalized(net, net.input("x", "n", 6, 32), outliers(), bias=bias)
    model = net.model(net.node("MatMul", made, weight(net, "w"), out="y"))
    found, plain = quantized(model, "smoothquant"), quantized(model)
    assert attempt(found).notes[0].startswith(f"'{made}' is smoothed with alpha 0.")
    assert attempt(found).drift < 1e-5
    assert sqnr(found) > sqnr(plain) + 2.0
    assert len(found.model.graph.node) == len(plain.model.graph.node)


def test_what_is_only_moved_before_weights_read_it_is_smoothed():
    net = Net()
    made = net.node("LayerNormalization", net.input("x", "n", 6, 32), net.constant("scale", outliers()), out="norm")
    pairs = net.node("Reshape", made, net.constant("shape", np.array([-1, 2, 3, 32])), out="pairs")
    turned = net.node("Transpose", pairs, perm=[0, 2, 1, 3], out="turned")
    model = net.model(*(net.node("MatMul", t, weight(net, f"w{t}"), out=f"y{t}") for t in (pairs, turned)))
    found = quantized(model, "smoothquant")
    assert attempt(found).notes[0].startswith("'pairs' is smoothed with alpha 0.")
    assert attempt(found).drift < 1e-5
    assert sqnr(found) > sqnr(quantized(model)) + 2.0


def test_a_scale_that_others_read_is_left():
    """A Mul behind would take up what it cannot; here that would help little."""
    net = Net()
    scale = net.constant("scale", np.ones(32, np.float32))
    made = net.node("LayerNormalization", net.input("x", "n", 6, 32), scale, out="norm")
    other = net.node("LayerNormalization", net.node("MatMul", made, weight(net, "w")), scale, out="other")
    model = net.model(net.node("MatMul", other, weight(net, "v"), out="y"))
    assert attempt(quantized(model, "smoothquant")).notes == (
        "Left, since other nodes read 'scale' too: 'norm', 'other'.",
    )


def attention(net: Net, x: str) -> str:
    """Of 4 heads, whose values have channels that are larger than others."""
    parts = []
    for name in "qkv":
        matrix = RANDOM.normal(size=(32, 32)) * (outliers() if name == "v" else 1.0) / 6
        part = net.node("MatMul", x, net.constant(name, matrix.astype(np.float32)))
        part = net.node("Add", part, net.constant(f"{name}_bias", RANDOM.normal(size=32).astype(np.float32)))
        heads = net.node("Reshape", part, net.constant(f"{name}_heads", np.array([-1, 6, 4, 8])))
        parts.append(net.node("Transpose", heads, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
    weights = net.node("Softmax", net.node("MatMul", parts[0], parts[1]), axis=-1)
    made = net.node("Transpose", net.node("MatMul", weights, parts[2]), perm=[0, 2, 1, 3])
    return net.node("Reshape", made, net.constant("rows", np.array([-1, 6, 32])), out="attended")


def test_what_attention_hands_on_is_smoothed_in_the_weights_in_front():
    net = Net()
    model = net.model(net.node("MatMul", attention(net, net.input("x", "n", 6, 32)), weight(net, "w"), out="y"))
    found, plain = quantized(model, "smoothquant"), quantized(model)
    assert any(note.startswith("'attended' is smoothed with alpha 0.") for note in attempt(found).notes)
    assert attempt(found).drift < 1e-5
    assert sqnr(found) > sqnr(plain) + 2.0
    assert len(found.model.graph.node) == len(plain.model.graph.node)


def gelu(net: Net, x: str, *, half: bool) -> str:
    """As it is exported, with a factor at its end or at its start."""
    erf = net.node("Erf", net.node("Div", x, net.constant("root", np.sqrt(np.float32(2)))))
    share = net.node("Add", erf, net.constant("one", 1.0))
    if half:
        return net.node("Mul", net.node("Mul", x, share), net.constant("half", 0.5), out="gelu")
    return net.node("Mul", x, net.node("Mul", share, net.constant("half", 0.5)), out="gelu")


@pytest.mark.parametrize("half", [True, False], ids=["with a factor", "without"])
def test_behind_gelu_its_factor_takes_units_up_or_else_a_mul_that_is_added(half):
    net = Net()
    wide = np.diag(outliers()) + RANDOM.normal(size=(32, 32)) / 10
    made = gelu(
        net, net.node("MatMul", net.input("x", "n", 6, 32), net.constant("v", wide.astype(np.float32))), half=half
    )
    model = net.model(net.node("MatMul", made, weight(net, "w"), out="y"))
    found, plain = quantized(model, "smoothquant"), quantized(model)
    (note,) = attempt(found).notes
    assert note.startswith("'gelu' is smoothed with alpha 0.")
    assert ("in a Mul that is added: 'gelu_Mul'." in note) == (not half)
    assert attempt(found).drift < 1e-5
    assert sqnr(found) > sqnr(plain) + 3.0
    assert len(found.model.graph.node) == len(plain.model.graph.node) + (not half)
    assert not lint(found.model)


@pytest.mark.tensorrt
def test_a_mul_that_is_added_costs_no_kernel():
    net = Net()
    wide = np.diag(outliers()).astype(np.float32)
    made = gelu(net, net.node("MatMul", net.input("x", "n", 6, 32), net.constant("v", wide)), half=False)
    model = net.model(net.node("MatMul", made, weight(net, "w"), out="y"))
    found, plain = quantized(model, "smoothquant"), quantized(model)
    assert "gelu_Mul" in [node.name for node in found.model.graph.node]
    before, after = (compile_ahead_of_time(result.model) for result in (plain, found))
    assert len(after.layers) == len(before.layers)
    assert int8_nodes(after) == int8_nodes(before) == compute_nodes(after)


def test_no_mul_is_added_where_little_of_the_error_would_go():
    net = Net()
    wide = np.diag(outliers()) ** 0.2 + RANDOM.normal(size=(32, 32)) / 10
    x = net.node("MatMul", net.input("x", "n", 6, 32), net.constant("v", wide.astype(np.float32)))
    model = net.model(net.node("MatMul", gelu(net, x, half=False), weight(net, "w"), out="y"))
    assert quantized(model, "smoothquant").model.SerializeToString() == quantized(model).model.SerializeToString()


def test_channels_behind_an_activation_function_are_left_to_equalization():
    net = Net()
    wide = (RANDOM.normal(size=(32, 32)) * outliers()).astype(np.float32)
    x = net.node("Relu", net.node("MatMul", net.input("x", "n", 6, 32), net.constant("v", wide)))
    model = net.model(net.node("MatMul", x, weight(net, "w"), out="y"))
    assert attempt(quantized(model, "smoothquant")).refusal == IDLE
    assert sqnr(quantized(model, "equalization")) > sqnr(quantized(model)) + 2.0


@pytest.mark.parametrize("seed", range(4))
def test_random_transformers_compute_the_same(seed):
    """A block of opset 13, with all that is smoothed."""
    rng = np.random.default_rng(seed)
    net = Net(opset=13)
    made = attention(net, normalized(net, net.input("x", "n", 6, 32), np.exp(rng.normal(size=32)).astype(np.float32)))
    wide = (rng.normal(size=(32, 32)) * np.exp(rng.normal(size=32))).astype(np.float32)
    made = gelu(net, net.node("MatMul", made, net.constant("wide", wide)), half=bool(seed % 2))
    found = quantized(net.model(net.node("MatMul", made, weight(net, "w"), out="y")), "smoothquant")
    assert attempt(found).is_taken
    assert attempt(found).drift < 1e-5
