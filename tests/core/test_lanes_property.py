"""Random graphs compute the same, whatever the units and zeros of their lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.moved import known, random_error
from tests.net import Net

MOST = 1e-5


@dataclass
class Weaver:
    """A graph in the making, of random operators.

    Attributes:
        rng: draws.
        net: with an input of 4 channels of 7 x 6.
        tensors: what may be read.
    """

    rng: np.random.Generator
    net: Net = field(default_factory=Net)
    tensors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors.append(self.net.input("x", *self.pick(((2, 4, 7, 6), ("N", 4, 7, 6)))))
        self.conv("x")

    def pick(self, options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Its shape; 1 if the batch size is open."""
        if tensor == "x":
            return (1, *self.net.inputs["x"][1:])
        dims = known(self.net.model(tensor)).graph.output[0].type.tensor_type.shape.dim
        return tuple(dim.dim_value or 1 for dim in dims)

    def numbers(self, *shape: int) -> str:
        return self.net.constant(f"c{len(self.net.weights)}", self.rng.normal(size=shape).astype(np.float32))

    def indices(self, *values: int) -> str:
        return self.net.constant(f"c{len(self.net.weights)}", np.array(values, np.int64))

    def weight(self, *shape: int) -> str:
        """Numbers that keep what they multiply about as large as it is."""
        made = self.numbers(*shape)
        self.net.weights[made] /= np.float32(np.sqrt(max(np.prod(shape[1:]), 1)))
        return made

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        made = self.net.node(op, *inputs, **attributes)
        self.tensors.append(made)
        return made

    def bias(self, count: int) -> tuple[str, ...]:
        """Seven of eight times one; sometimes one that others read as well."""
        shared = [
            name for name, value in self.net.weights.items() if value.shape == (count,) and value.dtype == np.float32
        ]
        return self.pick(((), *[(self.numbers(count),)] * 5, *[(name,) for name in shared[:2]]))

    def conv(self, x: str) -> str:
        channels = self.shape(x)[1]
        group, outputs = self.pick(((1, 4), (1, 6), (2, 4), (channels, channels), (channels, 2 * channels)))
        if channels % group or outputs % group:
            group = 1
        kernel = self.pick((1, 2, 3))
        padding = self.pick(
            (
                {},
                {"pads": [1, 0, 1, 2]},
                {"pads": [1, 1, 1, 1]},
                {"auto_pad": "SAME_UPPER"},
                {"auto_pad": "SAME_LOWER"},
                {"auto_pad": "VALID"},
            )
        )
        wide = min(self.shape(x)[2:]) > 4
        more = self.pick(({}, {"strides": [2, 1]}, {"strides": [2, 2]}, {"dilations": [1, 2]})) if wide else {}
        if not wide and "auto_pad" not in padding:
            padding = {"pads": [1, 1, 1, 1]}
        if not wide and padding.get("auto_pad") == "VALID":
            kernel = 1
        if "dilations" in more and "auto_pad" in padding:  # ONNX Runtime refuses it
            more = {}
        weight = self.weight(outputs, channels // group, kernel, kernel)
        return self.node("Conv", x, weight, *self.bias(outputs), group=group, **padding, **more)

    def transposed_conv(self, x: str) -> str:
        channels = self.shape(x)[1]
        group = self.pick((1, 2)) if channels % 2 == 0 else 1
        return self.node(
            "ConvTranspose", x, self.weight(channels, 2, 2, 2), *self.bias(2 * group), group=group, strides=[1, 2]
        )

    def activation(self, x: str) -> str:
        channels = self.shape(x)[1]
        six = self.net.constant("six", 6.0)
        zero = self.net.constant("zero", 0.0)
        match self.pick(("Relu", "Relu", "Relu", "Clip", "Clip", "Above", "Leaky", "PRelu")):
            case "Relu":
                return self.node("Relu", x)
            case "Clip":
                return self.node("Clip", x, zero, six)
            case "Above":
                return self.node("Clip", x, "", self.net.constant("half", 0.5))
            case "Leaky":
                return self.node("LeakyRelu", x, alpha=0.1)
        return self.node("PRelu", x, self.numbers(channels, 1, 1))

    def pool(self, x: str) -> str:
        kernel = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [1, 1, 0, 0]}
        match self.pick(("MaxPool", "AveragePool", "Included", "Global", "Mean", "Resize")):
            case "MaxPool":
                return self.node("MaxPool", x, **kernel)
            case "AveragePool":
                return self.node("AveragePool", x, **kernel)
            case "Included":
                return self.node("AveragePool", x, **kernel, count_include_pad=1)
            case "Global":
                return self.node("GlobalAveragePool", x)
            case "Mean":
                return self.node("ReduceMean", x, self.indices(-1, 2), keepdims=1)
        mode = self.pick(("nearest", "linear"))
        scales = self.net.constant("twice", np.array([1, 1, 2, 1], np.float32))
        return self.node("Resize", x, "", scales, mode=mode)

    def sum(self, x: str) -> str:
        """Of two tensors; of a tensor with itself, if there is no other of its shape."""
        shape = self.shape(x)
        others = [other for other in self.tensors if self.shape(other) == shape]
        return self.node("Add", x, self.pick(others))

    def constant(self, x: str) -> str:
        _, channels, height, width = self.shape(x)
        shape = self.pick(((channels, 1, 1), (1, channels, height, width), (1,), (), (height, width)))
        operands = (x, self.numbers(*shape))
        op = self.pick(("Add", "Add", "Mul", "Div"))
        if op == "Div":
            self.net.weights[operands[1]] = np.abs(self.net.weights[operands[1]]) + np.float32(0.5)
        return self.node(op, *(operands if op == "Div" else self.pick((operands, operands[::-1]))))

    def joined(self, x: str) -> str:
        shape = self.shape(x)
        others = [other for other in self.tensors if self.shape(other)[2:] == shape[2:]]
        return self.node("Concat", x, self.pick(others), axis=1)

    def parted(self, x: str) -> str:
        channels = self.shape(x)[1]
        match self.pick(("Split", "Slice", "Gather", "Pad", "Pad", "Reverse")):
            case "Split" if channels > 1:
                names = f"part{len(self.net.nodes)}", f"rest{len(self.net.nodes)}"
                self.tensors += names
                one = self.net.node("Split", x, self.indices(1, channels - 1), out=names[0], axis=1)
                self.net.nodes[-1].output.append(names[1])
                return self.pick((one, names[1]))
            case "Slice" if channels > 2:
                return self.node("Slice", x, self.indices(1), self.indices(-1), self.indices(1))
            case "Gather":
                return self.node("Gather", x, self.indices(*self.rng.integers(-channels, channels, 4)), axis=1)
            case "Pad":
                return self.node(
                    "Pad", x, self.indices(*self.pick(((0, 0, 1, 1, 0, 0, 0, 2), (0, 1, 0, 0, 0, 2, 1, 0))))
                )
        return self.node("Slice", x, self.indices(-1), self.indices(-(2**62)), self.indices(1), self.indices(-2))

    def shuffled(self, x: str) -> str:
        _, channels, height, width = self.shape(x)
        if channels % 2:
            return self.node("Relu", x)
        groups = self.net.node("Reshape", x, self.indices(-1, 2, channels // 2, height, width))
        turned = self.net.node("Transpose", groups, perm=[0, 2, 1, 3, 4])
        return self.node("Reshape", turned, self.indices(-1, channels, height, width))

    def tokens(self, x: str) -> str:
        """A tensor of tokens through LayerNormalization, MatMul and back."""
        _, channels, height, width = self.shape(x)
        flat = self.net.node("Reshape", x, self.indices(-1, channels, height * width))
        rows = self.net.node("Transpose", flat, perm=[0, 2, 1])
        if channels > 2:
            rows = self.pick((self.normalized, self.decomposed, lambda rows, _: rows))(rows, channels)
        rows = self.net.node("MatMul", rows, self.weight(channels, 4))
        if self.pick((True, False)):
            rows = self.net.node("Add", rows, self.numbers(4))
        back = self.net.node("Transpose", rows, perm=[0, 2, 1])
        return self.node("Reshape", back, self.indices(-1, 4, height, width))

    def normalized(self, x: str, channels: int) -> str:
        return self.net.node("LayerNormalization", x, self.numbers(channels), *self.bias(channels), axis=-1)

    def decomposed(self, x: str, channels: int) -> str:
        """The same in many nodes; one in two without a bias."""
        last = self.indices(-1)
        centred = self.net.node("Sub", x, self.net.node("ReduceMean", x, last))
        squares = self.net.node("Pow", centred, self.net.constant("two", 2.0))
        variance = self.net.node("Add", self.net.node("ReduceMean", squares, last), self.net.constant("least", 1e-5))
        x = self.net.node("Div", centred, self.net.node("Sqrt", variance))
        x = self.net.node("Mul", x, self.numbers(channels))
        return self.net.node("Add", x, self.numbers(channels)) if self.pick((True, False)) else x

    def head(self, x: str) -> str:
        flat = self.net.node("Flatten", x)
        size = int(np.prod(self.shape(x)[1:]))
        return self.net.node("Gemm", flat, self.weight(3, size), self.numbers(3), transB=1)


STEPS: tuple[Callable[[Weaver, str], str], ...] = (
    *[Weaver.conv] * 4,
    *[Weaver.activation] * 4,
    Weaver.transposed_conv,
    Weaver.pool,
    Weaver.sum,
    Weaver.sum,
    Weaver.constant,
    Weaver.joined,
    Weaver.parted,
    Weaver.shuffled,
    Weaver.tokens,
)


def woven(seed: int) -> Any:
    """A random model of about ten operators, with up to two outputs."""
    weaver = Weaver(np.random.default_rng(seed))
    for _ in range(int(weaver.rng.integers(4, 11))):
        recent = weaver.tensors[-3:]
        weaver.pick(STEPS)(weaver, weaver.pick([x for x in recent if x != "x"]))
    outputs = [weaver.head(weaver.tensors[-1]), *weaver.pick(((), (weaver.tensors[1],)))]
    return weaver.net.model(*outputs)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_random_graph_computes_the_same_in_other_lanes(seed):
    assert random_error(woven(seed), seed) <= MOST
