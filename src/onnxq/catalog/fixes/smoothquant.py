"""Makes channels alike that MatMul and Gemm read, which norms in front and the weights take up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.core.affine import Affine, reparametrized
from onnxq.core.amplitude import best_amplitude
from onnxq.core.chain import KEPT
from onnxq.core.channel_values import Values, channel_values
from onnxq.core.channels import weight_channels
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView, Node
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import Lanes
from onnxq.core.opened import closed, has_number, opened
from onnxq.core.stream import Stream, is_norm, order, streams

STRENGTHS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
"""Alphas that are compared with leaving all as it is."""

WORTH = 0.9
"""The share of the error that may be left at the most."""

MATRICES = frozenset(("MatMul", "Gemm"))

ACTIVATIONS = frozenset(("Relu", "Clip", "LeakyRelu", "PRelu"))

ROWS = 512
"""Vectors that a layer is tried on."""

HIGH = 127
"""The highest code."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class SmoothQuant:
    """Divides channels by s = max|x| ** alpha / max|w| ** (1 - alpha), and multiplies weights by it.

    Xiao et al. 2023, equation 4, with the alpha of each layer that makes the smallest error of what its readers
    compute. What takes the division up is the scale and bias of a LayerNormalization, in one node or in many, or the
    weights of a MatMul or Gemm in front, such as those of the values of an attention. If most of the error goes, it is
    the number that a product ends with anyway, as GELU does, or where there is none a Mul that is added.

    Channels behind an activation function that hands units on, such as Relu, and all that Conv reads are left to
    equalization, which comes next: it knows what share of their numbers is 0, and on these smoothing first loses.

    Attributes:
        strengths: alphas that are compared.
        rest: the share of the error that may be left at the most where a Mul takes the division up; 0 leaves all these.
    """

    name: ClassVar[str] = "smoothquant"
    doc: ClassVar[str] = "channels that MatMul and Gemm read are made alike; norms, and the weights, take it up"
    preserves: ClassVar[bool] = True
    strengths: tuple[float, ...] = STRENGTHS
    rest: float = 0.5

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        lanes = lanes_of(case.view)
        quantized = frozenset(decision.site.tensor for decision in case.plan.quantized)
        shut = tuple(tensor for tensor in closed(case.view, lanes) if tensor in quantized)
        trial = _Trial.of(case, opened(case.view, shut), quantized)
        bars = {tensor: self.rest if tensor in shut else WORTH for tensor in trial.layers}
        chosen = dict(trial.chosen(bars, self.strengths))
        view = opened(case.view, (tensor for tensor in shut if tensor in chosen))
        after = lanes_of(view)
        units, notes = np.ones(after.scales.size), []
        for tensor, (alpha, found) in chosen.items():
            units[after.scales[after.of[tensor].ravel()]] = found
            is_added = tensor in shut and not has_number(case.view, tensor)
            how = f", in a Mul that is added: '{view.producers[tensor].name}'" if is_added else ""
            notes.append(f"'{tensor}' is smoothed with alpha {alpha:g}{how}.")
        notes += _reasons(lanes, trial.left(case.view, lanes))
        nothing = "Nothing that MatMul and Gemm read is smoothed: there is none, or the error would not get smaller."
        view = reparametrized(view, Affine.of(after, scales=units)) if chosen else case.view
        return Fixed(view, notes=tuple(notes) or (nothing,))


@dataclass(frozen=True)
class _Trial:
    """Looks for what should be smoothed.

    Attributes:
        case: the model.
        view: its graph, with all that could take units up.
        lanes: of that.
        quantized: tensors.
        layers: channels that can be smoothed, each with a quantized tensor of theirs that is read.
    """

    case: Case
    view: GraphView
    lanes: Lanes
    quantized: frozenset[str]
    layers: Mapping[str, Stream]

    @staticmethod
    def of(case: Case, view: GraphView, quantized: frozenset[str]) -> _Trial:
        lanes = lanes_of(view)
        return _Trial(case, view, lanes, quantized, dict(_layers(view, lanes, quantized)))

    def chosen(
        self, bars: Mapping[str, float], strengths: tuple[float, ...]
    ) -> Iterator[tuple[str, tuple[float, Real]]]:
        """Tensors with their alpha, and what each of their channels is divided by.

        Args:
            bars: for each layer the share of the error that may be left at the most.
            strengths: alphas that are compared.
        """
        values = channel_values(self.case, self.lanes, tuple(self.layers)) if self.layers else {}
        for number, (tensor, stream) in enumerate(self.layers.items()):
            self.case.observer.advance(number, len(self.layers))
            places = order(self.lanes, tensor)
            layer = _Layer(values[tensor][places], _joined(self.view, self.lanes, stream.readers))
            alpha = layer.best(strengths, bars[tensor])
            if alpha is not None:
                units = np.ones(places.size)
                units[places] = layer.smoothing(alpha)
                yield tensor, (alpha, units)

    def left(self, before: GraphView, lanes: Lanes) -> Iterator[Node]:
        """Norms of the graph as it was whose channels are quantized, and cannot be smoothed."""
        makers = {node.name for stream in self.layers.values() for node in stream.makers}
        for node in before.nodes:
            is_left = is_norm(before, lanes, node) and node.name not in makers
            if is_left and not self.quantized.isdisjoint(_handed_on(before, node)):
                yield node


def _layers(view: GraphView, lanes: Lanes, quantized: frozenset[str]) -> Iterator[tuple[str, Stream]]:
    for stream in streams(view, lanes):
        read = (tensor for tensor in stream.tensors if tensor in quantized and _is_read(tensor, stream))
        tensor = next(read, None)
        begins = all(node.op in MATRICES or is_norm(view, lanes, node) for node in stream.makers)
        ends = all(node.op in MATRICES for node in stream.readers)
        if tensor is not None and begins and ends and ACTIVATIONS.isdisjoint(stream.operators(view)):
            yield tensor, stream


def _is_read(tensor: str, stream: Stream) -> bool:
    return any(node.inputs[0] == tensor for node in stream.readers)


def _reasons(lanes: Lanes, left: Iterable[Node]) -> Iterator[str]:
    """Sentences on norms that are left as they are."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for node in left:
        nodes[lanes.frozen.get(node.name, "not only weights read their channels")].append(f"'{node.name}'")
    return (f"Left, since {why}: {', '.join(names)}." for why, names in nodes.items())


def _handed_on(view: GraphView, node: Node) -> frozenset[str]:
    """What a norm makes: its result, with what is added to it or only moved behind."""
    made = {node.outputs[0]}
    for reader in view.nodes:
        if (
            reader.op in (*KEPT, "Add")
            and view.variable_inputs(reader)[:1]
            and made.issuperset(view.variable_inputs(reader))
        ):
            made.update(reader.outputs)
    return frozenset(made)


@dataclass(frozen=True)
class _Layer:
    """What reads a tensor.

    Attributes:
        values: (channels, numbers) of the tensor.
        weight: (channels, outputs) of all readers.
    """

    values: Values
    weight: Real

    def smoothing(self, alpha: float) -> Real:
        """(channels,) what each is divided by, around 1."""
        return self._smoothing(self.values, alpha)

    def _smoothing(self, values: Values, alpha: float) -> Real:
        tops = np.abs(values).max(1).astype(np.float64)
        heights = np.abs(self.weight).max(1)
        if not tops.any() or not heights.any():
            return np.ones(len(tops))
        tops, heights = (np.maximum(of, 1e-3 * of.max()) for of in (tops, heights))
        found = tops**alpha / heights ** (1.0 - alpha)
        return np.asarray(found / np.exp(np.log(found).mean()), np.float64)

    def best(self, strengths: tuple[float, ...], bar: float) -> float | None:
        """The alpha of the smallest error; None if more of it than the share `bar` would be left."""
        fitted = self.values[:, : (self.values.shape[1] + 1) // 2]
        least, best = self._error(np.ones(len(self.values))) * bar, None
        for alpha in strengths:
            error = self._error(self._smoothing(fitted, alpha))
            if error < least:
                least, best = error, alpha
        return best

    def _error(self, units: Real) -> float:
        """The energy of the error of what readers compute of half of the values, with a scale for the other half."""
        half = self.values.shape[1] // 2
        amplitude = best_amplitude([self.values[:, : self.values.shape[1] - half] / units[:, None]])
        places = np.linspace(half, self.values.shape[1] - 1, min(ROWS, self.values.shape[1] - half)).astype(np.int64)
        values, weight = self.values[:, places].T / units, self.weight * units[:, None]
        found = _rounded(values, np.array(amplitude)) @ _rounded(weight, np.abs(weight).max(0))
        return float(((found - values @ weight) ** 2).sum())


def _rounded(values: Real, amplitude: Real) -> Real:
    step = np.where(amplitude > 0, amplitude, 1.0) / HIGH
    return np.asarray(np.clip(np.rint(values / step), -HIGH, HIGH) * step, np.float64)


def _joined(view: GraphView, lanes: Lanes, readers: tuple[Node, ...]) -> Real:
    """(channels, outputs) of the weights of all readers of a stream, in its order."""
    return np.concatenate(list(_by_inputs(view, lanes, readers)), axis=1)


def _by_inputs(view: GraphView, lanes: Lanes, readers: tuple[Node, ...]) -> Iterator[Real]:
    for node in readers:
        weight = view.constants[node.inputs[1]].astype(np.float64)
        reads, _ = weight_channels(node, weight)
        yield (weight if reads.shape[1] == 1 else weight.T)[order(lanes, node.inputs[0])]
