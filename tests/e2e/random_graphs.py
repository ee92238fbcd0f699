"""Draws ONNX models by seed: what exporters, people and optimizers leave behind, small enough to run in milliseconds.

Every node is run through ONNX Runtime as soon as it is drawn, and dropped if it is refused, so that nearly every
drawn model can be loaded. A few are broken on purpose at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

Tensors = dict[str, np.ndarray]
CHANNELS = (1, 3, 8, 16, 16, 32)
SILENT = 4
ABORTING = ("AveragePool", "GRU", "GlobalAveragePool", "GlobalMaxPool", "MaxPool")
"""What ONNX Runtime 1.32 aborts the process in, if it is fed an empty tensor."""


@dataclass(frozen=True)
class Drawn:
    """A model, feeds for it, and the operators it holds."""

    model: onnx.ModelProto
    feeds: list[Tensors]
    ops: tuple[str, ...]


def draw(seed: int) -> Drawn:
    """The model of that seed."""
    sketch = Sketch(np.random.default_rng(seed))
    sketch.begin()
    for _ in range(sketch.rng.integers(2, 16)):
        sketch.some_node()
    return sketch.finish()


def run(model: onnx.ModelProto, feeds: Tensors, plain: bool = False) -> Tensors:
    """The outputs of a model. Raises whatever ONNX Runtime raises."""
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = 1
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    wanted = {value.name for value in session.get_inputs()}
    return dict(zip(names, session.run(names, {n: a for n, a in feeds.items() if n in wanted}), strict=True))


@dataclass
class Sketch:
    """A model in the making, with the value of each of its tensors for the first feed."""

    rng: np.random.Generator
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    values: Tensors = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    dtype: Any = np.float32
    count: int = 0

    # what is drawn from

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def numbers(self, shape: Sequence[int], scale: float = 1.0) -> np.ndarray:
        return np.asarray(self.rng.normal(0.0, scale, tuple(shape)), self.dtype)

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}" if not self.chance(0.02) else f"{stem} {self.count}/ä:0"

    def tensor(self, *ranks: int) -> str | None:
        """A float tensor that is computed at run time, the newest ones most likely."""
        fitting = [n for n, v in self.values.items() if v.dtype == self.dtype and (not ranks or v.ndim in ranks)]
        if not fitting:
            return None
        return fitting[-1] if self.chance(0.6) else self.pick(fitting)

    def weight(self, shape: Sequence[int], scale: float = 1.0) -> str:
        """An initializer: a new one, one that is used already, or one that a Constant or an Identity hands on."""
        same = [n for n, w in self.weights.items() if w.shape == tuple(shape) and w.dtype == self.dtype]
        if same and self.chance(0.2):
            return str(self.pick(same))
        array = self.numbers(shape, scale)
        if self.chance(0.05):
            array *= 0
        elif self.chance(0.03):
            array *= np.asarray(1e-30, self.dtype)
        return self.constant(array)

    def constant(self, array: np.ndarray) -> str:
        name = self.name("w")
        if self.chance(0.1):
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
            self.weights[name] = array
            return name
        self.weights[name] = array
        self.nodes.append(onnx.NodeProto(op_type="@", output=[name]))  # becomes an initializer
        if self.chance(0.05):
            return self.add("Identity", [name], track=False)[0]
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.asarray(values, np.int64))

    # how a node comes in

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, track: bool = True, **attributes: Any) -> list[str]:
        """A node's outputs, none if ONNX Runtime refuses it."""
        captured = attributes.pop("captured", ())
        domain = attributes.pop("domain", "")
        attributes = {key: value for key, value in attributes.items() if value is not None}
        names = [self.name("t") for _ in range(outputs)]
        node = helper.make_node(op, list(inputs), names, domain=domain, **attributes)
        if not self.chance(0.1):
            node.name = self.pick(["same", f"n{self.count}"]) if self.chance(0.1) else f"{op}_{self.count}"
        known = {n: self.values.get(n, self.weights.get(n)) for n in (*inputs, *captured) if n}
        if op in ABORTING and any(value.size == 0 for value in known.values()):
            return []
        graph = helper.make_graph(
            [node],
            "one",
            [info(n, v.dtype, v.shape) for n, v in known.items()],
            [helper.make_empty_tensor_value_info(n) for n in names],
        )
        try:
            found = run(self._model(graph), known)
        except Exception:  # noqa: BLE001 - onnxruntime's exceptions have no common base
            return []
        if track and any(
            np.abs(v.astype(np.float64)).max(initial=0) > 1e4 for v in found.values() if v.dtype.kind == "f"
        ):
            return []
        self.nodes.append(node)
        (self.values if track else self.weights).update(found)
        return names

    def _model(self, graph: onnx.GraphProto) -> onnx.ModelProto:
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=max(4, min(10, self.opset - 8)))

    # the model

    def begin(self) -> None:
        self.opset = int(self.pick([9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]))
        if self.chance(0.06):
            self.dtype = self.pick([np.float16, np.float64])
        for _ in range(self.pick([1, 1, 1, 2])):
            batch, channels = self.pick([1, 1, 2, 4]), self.pick(CHANNELS)
            size = self.pick([1, 4, 5, 8])
            shape = self.pick(
                [
                    (batch, channels, size, size),
                    (batch, channels, size, size + 1),
                    (batch, channels, 8),
                    (batch, channels, 3, 4, 4),
                    (batch, self.pick([16, 32])),
                    (batch, 6, 16),
                    (16,),
                    (),
                ][: 6 if self.chance(0.9) else 8]
            )
            if self.chance(0.02):
                shape = (0, *shape[1:])
            name = self.name("x")
            self.inputs.append(name)
            self.values[name] = self.numbers(shape)

    def some_node(self) -> None:
        NODES[self.rng.choice(len(NODES), p=SHARES)](self)

    def finish(self) -> Drawn:
        nodes = [node for node in self.nodes if node.op_type != "@"]
        read = {name for node in nodes for name in node.input}
        made = [name for node in nodes for name in node.output if name in self.values]
        ends = [name for name in made if name not in read] or made[-1:] or self.inputs[:1]
        if self.chance(0.3) and made:
            ends.append(self.pick(made))
        if self.chance(0.05):
            ends.append(self.inputs[0])
        if self.chance(0.03) and self.weights:
            ends.append(self.pick(list(self.weights)))
        free = self.chance(0.4)
        known = self.values | self.weights
        initializers = [self._initializer(n.output[0]) for n in self.nodes if n.op_type == "@"]
        inputs = [self._declared(name, self.values[name], free) for name in self.inputs]
        if self.chance(0.1):
            inputs += [info(t.name, self.weights[t.name].dtype, self.weights[t.name].shape) for t in initializers]
        outputs = [self._declared(name, known[name], free) for name in dict.fromkeys(ends)]
        if self.chance(0.1):
            for value in outputs:
                value.type.tensor_type.ClearField("shape")
        graph = helper.make_graph(nodes, "drawn", inputs, outputs, initializers)
        if self.chance(0.2):
            graph.value_info.extend(self._declared(n, known[n], free) for n in made)
        feeds = [{n: self.values[n] for n in self.inputs}]
        feeds += [{n: self.numbers(self.values[n].shape) for n in self.inputs} for _ in range(2)]
        return Drawn(self._model(graph), feeds, tuple(node.op_type for node in nodes))

    def _initializer(self, name: str) -> TensorProto:
        array = self.weights[name]
        if array.dtype == np.float32 and self.chance(0.1):
            return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.ravel().tolist())
        return numpy_helper.from_array(array, name)

    def _declared(self, name: str, value: np.ndarray, free: bool) -> onnx.ValueInfoProto:
        shape: list[Any] = list(value.shape)
        if free and shape and name in self.inputs:
            shape[0] = self.pick(["N", None])
        if self.chance(0.03) and name in self.inputs:
            shape = [None] * len(shape)
        if free and name not in self.inputs:
            shape = [None] * len(shape)
        return info(name, value.dtype, shape)


def info(name: str, dtype: Any, shape: Sequence[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


# nodes: weighted operators


def conv(s: Sketch) -> None:
    x = s.tensor(3, 4, 5)
    if not x:
        return
    channels, rank = s.values[x].shape[1], s.values[x].ndim - 2
    group = s.pick([1, 1, 1, channels, 2]) if channels else 1
    if group == 0 or channels % group:
        group = 1
    outputs = group * s.pick([1, 2]) if group > 1 else s.pick(CHANNELS)
    kernel = [s.pick([1, 3])] * rank if s.chance(0.8) else [s.pick([1, 2, 3]) for _ in range(rank)]
    w = s.weight((outputs, channels // group, *kernel), 1.0 / np.sqrt(max(1, channels // group * np.prod(kernel))))
    inputs = [x, w, *([s.weight((outputs,))] if s.chance(0.5) else [""] if s.chance(0.1) else [])]
    padding: dict[str, Any] = (
        {"pads": [k // 2 for k in kernel] * 2}
        if s.chance(0.6)
        else {"auto_pad": s.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])}
    )
    strides = [s.pick([1, 2])] * rank if s.chance(0.4) else None
    dilations = [2] * rank if s.chance(0.1) and "pads" in padding else None
    shape = kernel if s.chance(0.5) else None
    made = s.add("Conv", inputs, group=group, strides=strides, dilations=dilations, kernel_shape=shape, **padding)
    if made and s.chance(0.4):
        batchnorm(s, made[0])
    if made and s.chance(0.4):
        activation(s, list(s.values)[-1])


def conv_run_time_weight(s: Sketch) -> None:
    x = s.tensor(4)
    if x:
        channels = s.values[x].shape[1]
        w = s.add("Relu", [s.weight((16, channels, 1, 1))], track=False)
        same = [n for n, v in s.values.items() if v.ndim == 4 and v.shape[1] == channels and v.dtype == s.dtype]
        s.add("Conv", [x, s.pick(same) if s.chance(0.5) else w[0] if w else x])


def conv_transpose(s: Sketch) -> None:
    x = s.tensor(3, 4, 5)
    if not x:
        return
    channels, rank = s.values[x].shape[1], s.values[x].ndim - 2
    group = s.pick([1, 1, 2]) if channels % 2 == 0 else 1
    kernel = [s.pick([2, 3])] * rank
    w = s.weight((channels, s.pick([8, 16]) // group, *kernel), 0.2)
    bias = [s.weight((s.weights[w].shape[1] * group,))] if s.chance(0.5) else []
    made = s.add("ConvTranspose", [x, w, *bias], group=group, strides=[2] * rank if s.chance(0.5) else None)
    if made and s.chance(0.3):
        batchnorm(s, made[0])


def gemm(s: Sketch) -> None:
    x = s.tensor(2)
    if not x:
        return
    flip = s.chance(0.2)
    inner = s.values[x].shape[0 if flip else 1]
    columns, turned = s.pick([1, 5, 16, 32]), s.chance(0.5)
    w = s.weight((columns, inner) if turned else (inner, columns), 0.3)
    rows = s.values[x].shape[1 if flip else 0]
    bias = s.pick([[], [(columns,)], [(1, columns)], [()], [(rows, columns)], [(1,)]])
    scaled = {"alpha": 0.5} if s.chance(0.3) else {}
    if s.chance(0.3):
        scaled["beta"] = s.pick([0.0, 2.0])
    inputs = [x, w, *map(s.weight, bias)]
    if s.opset < 11 and not bias:
        inputs.append(s.weight((columns,)))
    s.add("Gemm", inputs, transA=int(flip), transB=int(turned), **scaled)


def matmul(s: Sketch) -> None:
    x = s.tensor(1, 2, 3, 4)
    if not x:
        return
    shape = s.values[x].shape
    columns = s.pick([5, 16, 32])
    right = s.pick(
        [
            (shape[-1], columns),
            (shape[-1], columns),
            (shape[-1],),
            (1, shape[-1], columns),
            (*shape[:-2], shape[-1], columns),
        ]
    )
    if s.chance(0.7):
        s.add("MatMul", [x, s.weight(right, 0.3)])
    elif s.chance(0.5) and len(shape) > 1:
        s.add("MatMul", [s.weight(s.pick([(16, shape[-2]), (shape[-2],), (1, 16, shape[-2])]), 0.3), x])
    else:
        pair = [n for n, v in s.values.items() if v.ndim and v.shape[-1] and v.dtype == s.dtype]
        s.add("MatMul", [x, s.pick(pair)] if pair else [x, x])


def attention(s: Sketch) -> None:
    x = s.tensor(3)
    if not x:
        return
    width = s.values[x].shape[-1]
    made = [s.add("MatMul", [x, s.weight((width, 16), 0.3)]) for _ in range(3)]
    if not all(made):
        return
    q, k, v = (names[0] for names in made)
    turned = s.add("Transpose", [k], perm=[0, 2, 1])
    scores = s.add("MatMul", [q, turned[0]]) if turned else []
    if scores and s.chance(0.5):
        scores = s.add("Mul", [scores[0], s.constant(np.asarray(0.25, s.dtype))])
    soft = s.add("Softmax", scores, axis=2) if scores else []
    if soft:
        s.add("MatMul", [soft[0], v])


# nodes: between weighted operators


def batchnorm(s: Sketch, x: str | None = None) -> None:
    x = x or s.tensor(2, 3, 4)
    if x:
        channels = s.values[x].shape[1]
        scale, offset, mean = (s.weight((channels,)) for _ in range(3))
        variance = s.constant(np.abs(s.numbers((channels,))) + np.asarray(0.1, s.dtype))
        s.add("BatchNormalization", [x, scale, offset, mean, variance], epsilon=s.pick([1e-5, 1e-3]))


def activation(s: Sketch, x: str | None = None) -> None:
    x = x or s.tensor()
    if not x:
        return
    op = s.pick(["Relu", "Relu", "Sigmoid", "Clip", "LeakyRelu", "Swish", "HardSwish", "Tanh", "Erf", "PRelu"])
    if op == "Clip" and s.opset < 11:
        s.add("Clip", [x], min=0.0, max=6.0)
    elif op == "Clip":
        low, high = (s.constant(np.asarray(v, s.dtype)) for v in (0, 6))
        s.add("Clip", s.pick([[x, low, high], [x, "", high], [x, low], [x]]))
    elif op == "Swish":
        gate = s.add("Sigmoid", [x])
        if gate:
            s.add("Mul", [x, gate[0]])
    elif op == "PRelu":
        s.add("PRelu", [x, s.weight((1,))])
    else:
        s.add(op, [x])


def elementwise(s: Sketch) -> None:
    x = s.tensor()
    if not x:
        return
    op = s.pick(["Add", "Add", "Add", "Mul", "Sub", "Max"])
    shape = s.values[x].shape
    same = [n for n, v in s.values.items() if v.shape == shape and v.dtype == s.dtype]
    other = s.pick(
        [
            s.pick(same),
            s.pick(same),
            s.pick(same),
            x,
            s.tensor() or x,
            s.weight((shape[-1:]) if shape else ()),
            s.weight(()),
        ]
    )
    s.add(op, [x, other] if s.chance(0.7) else [other, x])


def residual(s: Sketch) -> None:
    """x + f(x), f of one or two convolutions, as networks have it."""
    x = s.tensor(4)
    if not x:
        return
    at, channels = x, s.values[x].shape[1]
    for _ in range(s.pick([1, 2])):
        made = s.add("Conv", [at, s.weight((channels, channels, 3, 3), 0.1)], pads=[1] * 4)
        if made and s.chance(0.5):
            made = s.add("Relu", made)
        if not made:
            return
        at = made[0]
    joined = s.add("Add", [at, x] if s.chance(0.5) else [x, at])
    if joined and s.chance(0.5):
        s.add("Relu", joined)


def concat(s: Sketch) -> None:
    x = s.tensor(2, 3, 4)
    if x:
        shape = s.values[x].shape
        fitting = [
            n
            for n, v in s.values.items()
            if v.ndim == len(shape) and v.shape[0] == shape[0] and v.shape[2:] == shape[2:] and v.dtype == s.dtype
        ]
        others = [s.pick(fitting) for _ in range(s.pick([1, 1, 2]))]
        if s.chance(0.15):
            others.append(s.weight((shape[0], 4, *shape[2:])))
        s.add("Concat", [x, *others] if s.chance(0.9) else [x], axis=s.pick([1, 1, 1, -len(shape) + 1, -1]))


def pool(s: Sketch) -> None:
    x = s.tensor(3, 4, 5)
    if x:
        rank = s.values[x].ndim - 2
        op = s.pick(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
        if min(s.values[x].shape[2:]) < 2:
            return  # smaller than its kernel, a pool makes ONNX Runtime 1.32 divide by zero
        kernel = {} if op.startswith("Global") else {"kernel_shape": [2] * rank, "strides": [s.pick([1, 2])] * rank}
        s.add(op, [x], outputs=2 if op == "MaxPool" and s.chance(0.05) else 1, **kernel)


def resize(s: Sketch) -> None:
    x = s.tensor(4)
    if not x:
        return
    scales = s.constant(np.asarray([1, 1, 2, 2], np.float32))
    if s.opset == 9:
        s.add("Upsample", [x, scales], mode="nearest")
    elif s.opset == 10:
        s.add("Resize", [x, scales], mode="nearest")
    elif s.opset >= 13:
        n, c, h, w = s.values[x].shape
        s.add(
            "Resize",
            s.pick([[x, "", scales], [x, "", "", s.integers(n, c, h * 2, w * 2)]]),
            mode=s.pick(["nearest", "linear"]),
        )


def copy(s: Sketch) -> None:
    """An operator that moves numbers."""
    x = s.tensor(1, 2, 3, 4)
    if not x:
        return
    shape, rank = s.values[x].shape, s.values[x].ndim
    s.pick((transpose, reshape, reshape, cut, squeeze, gather, pad, split, as_it_is))(s, x, shape, rank)


def transpose(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    s.add("Transpose", [x], perm=[int(i) for i in s.rng.permutation(rank)] if s.chance(0.7) else None)


def reshape(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    s.add("Reshape", [x, s.integers(*s.pick([[-1], [0, -1], [1, -1], shape]))])


def cut(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    if s.opset >= 10:
        s.add("Slice", [x, s.integers(0), s.integers(max(1, shape[-1] // 2)), s.integers(-1)])
    else:
        s.add("Slice", [x], starts=[0], ends=[1], axes=[0])


def squeeze(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    op = s.pick(["Squeeze", "Unsqueeze"])
    axes = [0] if op == "Unsqueeze" or s.chance(0.5) else [rank - 1]
    if s.opset >= 13:
        s.add(op, [x, s.integers(*axes)])
    else:
        s.add(op, [x], axes=axes)


def gather(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    s.add("Gather", [x, s.constant(np.asarray(s.pick([0, [0], [[0, 0]]]), np.int64))], axis=s.pick([0, rank - 1]))


def pad(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    if s.chance(0.5):
        s.add("Tile", [x, s.integers(*[1] * (rank - 1), 2)])
    elif s.opset >= 11:
        s.add("Pad", [x, s.integers(*[0] * rank, *[1] * rank)], mode=s.pick(["constant", "reflect"]))


def as_it_is(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    op = s.pick(["Flatten", "Identity", "Dropout"])
    s.add(op, [x], outputs=2 if op == "Dropout" and s.chance(0.2) else 1)


def split(s: Sketch, x: str, shape: Sequence[int], rank: int) -> None:
    axis = s.pick([1, rank - 1])
    size = shape[axis] if rank > 1 else 0
    parts = [size // 2, size - size // 2]
    if min(parts) > 0 and s.opset >= 13:
        s.add("Split", [x, s.integers(*parts)], 2, axis=axis)
    elif min(parts) > 0:
        s.add("Split", [x], 2, axis=axis, split=parts)


def normalize(s: Sketch) -> None:
    x = s.tensor(2, 3, 4)
    if not x:
        return
    op = s.pick(["Softmax", "LayerNormalization", "InstanceNormalization", "LpNormalization", "LRN", "ReduceMean"])
    shape = s.values[x].shape
    if op == "LayerNormalization" and s.opset >= 17:
        s.add(op, [x, s.weight(shape[-1:]), *([s.weight(shape[-1:])] if s.chance(0.5) else [])], axis=-1)
    elif op == "InstanceNormalization":
        s.add(op, [x, s.weight((shape[1],)), s.weight((shape[1],))])
    elif op == "LRN":
        s.add(op, [x], size=3)
    elif op == "ReduceMean" and s.opset < 18:
        s.add(op, [x], axes=[-1] if s.opset >= 11 else [len(shape) - 1], keepdims=int(s.chance(0.5)))
    elif op in ("Softmax", "LpNormalization"):
        s.add(op, [x], axis=s.pick([1, len(shape) - 1]))


def cast(s: Sketch) -> None:
    x = s.tensor()
    if x:
        kind = s.pick([TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.BOOL])
        made = s.add("Cast", [x], to=kind)
        if made and s.chance(0.7):
            s.add("Cast", made, to=helper.np_dtype_to_tensor_dtype(np.dtype(s.dtype)))


def shape_arithmetic(s: Sketch) -> None:
    """Reshape to a shape computed from another tensor's, as PyTorch exports it."""
    x = s.tensor(2, 3, 4)
    shape = s.add("Shape", [x]) if x else []
    first = s.add("Gather", [shape[0], s.constant(np.asarray(0, np.int64))], axis=0) if shape else []
    if not first:
        return
    whole = s.add("Unsqueeze", [first[0], s.integers(0)]) if s.opset >= 13 else s.add("Unsqueeze", first, axes=[0])
    target = s.add("Concat", [whole[0], s.integers(-1)], axis=0) if whole else []
    if target:
        s.add("Reshape", [x, target[0]])


def branch(s: Sketch) -> None:
    """An If whose bodies read tensors and weights of the main graph."""
    x = s.tensor()
    if not x:
        return
    w = s.weight(())
    condition = s.constant(np.asarray(s.chance(0.5)))
    if s.chance(0.7):
        made = s.add("Not", [condition], track=False)
        condition = made[0] if made else condition
    bodies = []
    for op in ("Relu", "Add"):
        out = s.name("b")
        inputs = [x] if op == "Relu" else [x, w]
        node = helper.make_node(op, inputs, [out], s.pick(["", "same", "inner"]))
        bodies.append(
            helper.make_graph(
                [node],
                "body",
                [],
                [helper.make_tensor_value_info(out, helper.np_dtype_to_tensor_dtype(np.dtype(s.dtype)), None)],
            )
        )
    s.add("If", [condition], then_branch=bodies[0], else_branch=bodies[1], captured=(x, w))


def foreign(s: Sketch) -> None:
    """A node of a domain that ONNX Runtime knows."""
    x = s.tensor(2, 3)
    if not x:
        return
    width = s.values[x].shape[-1]
    op = s.pick(["FusedMatMul", "Gelu", "BiasGelu", "QuickGelu", "FusedConv"])
    if op == "FusedMatMul":
        s.add(op, [x, s.weight((width, 16), 0.3)], domain="com.microsoft", alpha=0.5)
    elif op == "BiasGelu":
        s.add(op, [x, s.weight((width,))], domain="com.microsoft")
    else:
        s.add(op, [x], domain="com.microsoft")


def constant_chain(s: Sketch) -> None:
    """Arithmetic on weights alone, then a product with the result."""
    x = s.tensor(2, 3)
    if not x:
        return
    w = s.weight((16, s.values[x].shape[-1]), 0.3)
    for op in s.pick([["Transpose"], ["Relu", "Transpose"], ["Neg", "Identity", "Transpose"]]):
        made = s.add(op, [w], track=False)
        if not made:
            return
        w = made[0]
    s.add("MatMul", [x, w])


def recurrent(s: Sketch) -> None:
    x = s.tensor(3)
    if x:
        width = s.values[x].shape[-1]
        s.add("GRU", [x, s.weight((1, 24, width), 0.3), s.weight((1, 24, 8), 0.3)], outputs=2, hidden_size=8)


TABLE: tuple[tuple[Callable[[Sketch], None], float], ...] = (
    (conv, 6),
    (conv_run_time_weight, 0.5),
    (conv_transpose, 1.5),
    (gemm, 3),
    (matmul, 4),
    (attention, 0.7),
    (batchnorm, 1),
    (activation, 3),
    (elementwise, 4),
    (residual, 3),
    (concat, 2),
    (pool, 2),
    (resize, 1),
    (copy, 4),
    (normalize, 1.5),
    (cast, 0.7),
    (shape_arithmetic, 0.5),
    (branch, 0.7),
    (foreign, 0.7),
    (constant_chain, 0.7),
    (recurrent, 0.3),
)
NODES = [draw_node for draw_node, _ in TABLE]
SHARES = np.asarray([share for _, share in TABLE]) / sum(share for _, share in TABLE)
