"""Makes channels behind a LayerNormalization alike, which weights behind it take up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
from onnxq.core.stream import Stream, is_norm, streams

STRENGTHS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
"""Alphas that are compared with leaving all as it is."""

WORTH = 0.9
"""The share of the error that must be left at the most."""

ROWS = 512
"""Vectors that a layer is tried on."""

HIGH = 127
"""The highest code."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class SmoothQuant:
    """Divides channels by s = max|x| ** alpha / max|w| ** (1 - alpha), and multiplies weights by it.

    Xiao et al. 2023, equation 4, with the alpha of each layer that makes the smallest error of what its readers
    compute. The LayerNormalization's scale and bias take the division up. Where channels cannot be rescaled there, they
    are left: no Mul is added.

    Attributes:
        strengths: alphas that are compared.
    """

    name: ClassVar[str] = "smoothquant"
    doc: ClassVar[str] = "channels behind LayerNormalization are made alike; its scale and the weights take it up"
    preserves: ClassVar[bool] = True
    strengths: tuple[float, ...] = STRENGTHS

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        lanes = lanes_of(case.view)
        quantized = frozenset(decision.site.tensor for decision in case.plan.quantized)
        norms = [node for node in case.view.nodes if is_norm(case.view, lanes, node)]
        layers = dict(_layers(streams(case.view, lanes), norms, quantized))
        units, chosen = np.ones(lanes.scales.size), []
        values = channel_values(case, lanes, tuple(layers)) if layers else {}
        for number, (tensor, stream) in enumerate(layers.items()):
            case.observer.advance(number, len(layers))
            layer = _Layer(values[tensor], _joined(case.view, stream.readers))
            alpha = layer.best(self.strengths)
            if alpha is not None:
                units[stream.classes] = layer.smoothing(alpha)
                chosen.append(f"'{tensor}' is smoothed with alpha {alpha:g}.")
        smoothed = {node.name for stream in layers.values() for node in stream.makers}
        others = [node for node in norms if node.name not in smoothed]
        left = [node for node in others if not quantized.isdisjoint(_handed_on(case.view, node))]
        notes = (*chosen, *_reasons(lanes, left))
        view = reparametrized(case.view, Affine.of(lanes, scales=units)) if chosen else case.view
        return Fixed(view, notes=notes or ("No quantized LayerNormalization is read by weights.",))


def _layers(found: Iterable[Stream], norms: Sequence[Node], quantized: frozenset[str]) -> Iterator[tuple[str, Stream]]:
    """Channels that begin in norms and end in MatMul and Gemm, with a quantized tensor of theirs that these read."""
    names = {node.name for node in norms}
    for stream in found:
        read = (tensor for tensor in stream.tensors if tensor in quantized and _is_read(tensor, stream))
        tensor = next(read, None)
        is_ours = all(node.name in names for node in stream.makers)
        if tensor is not None and is_ours and all(node.op in ("MatMul", "Gemm") for node in stream.readers):
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

    def best(self, strengths: tuple[float, ...]) -> float | None:
        """The alpha of the smallest error; None if it is not worth it."""
        fitted = self.values[:, : (self.values.shape[1] + 1) // 2]
        least, best = self._error(np.ones(len(self.values))) * WORTH, None
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


def _joined(view: GraphView, readers: tuple[Node, ...]) -> Real:
    """(channels, outputs) of the weights of all readers."""
    return np.concatenate(list(_by_inputs(view, readers)), axis=1)


def _by_inputs(view: GraphView, readers: tuple[Node, ...]) -> Iterator[Real]:
    for node in readers:
        weight = view.constants[node.inputs[1]].astype(np.float64)
        reads, _ = weight_channels(node, weight)
        yield weight if reads.shape[1] == 1 else weight.T
