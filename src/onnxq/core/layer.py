"""A node whose weight is quantized, with all that a fix needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.fix import Case
from onnxq.core.float_type import FloatType
from onnxq.core.format import Format
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.linear import Floats, Linear
from onnxq.core.rounding import nearest
from onnxq.core.scales import QuantParams


@dataclass(frozen=True)
class Stored:
    """How a tensor is stored: its parameters and their format."""

    params: QuantParams
    format: Format

    def seen(self, values: Floats) -> Floats:
        """What is read of `values`."""
        scale = self.params.broadcastable(values.ndim)
        return self.format.round_trip(values, scale, self.params.zero_point).astype(np.float32)


@dataclass(frozen=True)
class Tail:
    """What a kernel computes behind a layer before anything else reads it.

    Attributes:
        shortcut: the edge on which a residual Add reads what is added to the layer; None without one.
        constants: tensors that are added as well.
        low: what the kernel cuts its result off at.
        high: the same above.
        output: the tensor in the end.
    """

    shortcut: Site | None
    constants: tuple[str, ...]
    low: float
    high: float
    output: str

    @staticmethod
    def of(view: GraphView, node: Node) -> Tail:
        """The tail behind a node: constants and one shortcut that are added, then Relu or Clip."""
        found = Tail(None, (), -np.inf, np.inf, node.outputs[0])
        while (site := _only_reader(view, found.output)) and np.isinf([found.low, found.high]).all():
            behind = view.by_name[site.node]
            if behind.op == "Add":
                other = Site(behind.inputs[1 - site.index], behind.name, 1 - site.index)
                if view.is_constant(other.tensor):
                    found = replace(found, constants=(*found.constants, other.tensor))
                elif found.shortcut is None:
                    found = replace(found, shortcut=other)
                else:
                    break
            elif behind.op in ("Relu", "Clip"):
                low, high = limits(view, behind)
                found = replace(found, low=low, high=high)
            else:
                break
            found = replace(found, output=behind.outputs[0])
        return found


@dataclass(frozen=True)
class Layer:
    """A Conv, Gemm or MatMul whose weight is quantized.

    Attributes:
        node: the operator.
        linear: it as matrices.
        site: the edge on which it reads its weight.
        weight: how that is stored.
        input: how what it reads is stored, None if that is float.
        tail: what its kernel computes behind it.
        low: the type that its bias is written in; None for FP32.
    """

    node: Node
    linear: Linear
    site: Site
    weight: Stored
    input: Stored | None
    tail: Tail
    low: FloatType | None = None

    def matrices(self, view: GraphView) -> NDArray[np.float64]:
        """The weight in `view`, as matrices."""
        return self.linear.matrices(view.constants[self.site.tensor]).astype(np.float64)

    def rounded(self, view: GraphView) -> NDArray[np.float64]:
        """The weight in `view` as it is stored, as matrices."""
        return nearest(self.matrices(view), self.steps, self.weight.format.high) * self.steps

    @property
    def steps(self) -> NDArray[np.float64]:
        """The scales of the weight: (groups, rows, 1)."""
        shape = self.linear.shape
        spread = np.broadcast_to(self.weight.params.broadcastable(len(shape)), shape)
        return self.linear.matrices(spread)[:, :, :1].astype(np.float64)

    def held(self, view: GraphView) -> tuple[NDArray[np.float64], NDArray[np.float64], Site | None]:
        """All that `view` holds of the layer: its weight, what it adds to its outputs, and where its bias is."""
        return self.matrices(view), self.offset(view), self.bias(view)

    def with_codes(self, view: GraphView, codes: NDArray[Any]) -> GraphView:
        """The graph with a weight of these codes: (groups, rows, columns)."""
        weight = self.linear.weight(codes * self.steps).astype(np.float32)
        return replace(view, constants={**view.constants, self.site.tensor: weight})

    def bias(self, view: GraphView) -> Site | None:
        """The edge on which the layer's bias is read or would be; None if it has and gets none."""
        if self.node.op == "MatMul":
            behind = _only_reader(view, self.node.outputs[0])
            if behind is None or view.by_name[behind.node].op != "Add":
                return None
            site = Site(view.by_name[behind.node].inputs[1 - behind.index], behind.node, 1 - behind.index)
        else:
            node = view.by_name[self.node.name]
            site = Site(node.inputs[2] if len(node.inputs) > 2 else "", node.name, 2)
        return site if not site.tensor or view.is_constant(site.tensor) else None

    def offset(self, view: GraphView) -> NDArray[np.float64]:
        """What the node itself adds to each output channel; zeros where a bias is added behind it."""
        site = self.bias(view)
        count = self.linear.outputs
        if site is None or not site.tensor or site.node != self.node.name:
            return np.zeros(count)
        return np.broadcast_to(view.constants[site.tensor].reshape(-1), count).astype(np.float64)

    def constant(self, view: GraphView) -> NDArray[np.float64]:
        """What is added to each output channel, by the node and behind it: the mean over all places."""
        found, convolves = self.offset(view), self.node.op == "Conv"
        for tensor in Tail.of(view, view.by_name[self.node.name]).constants:
            added = np.atleast_1d(view.constants[tensor])
            rank = len(self.linear.shape) if convolves else added.ndim
            added = added.reshape(*[1] * (rank - added.ndim), *added.shape)
            axis = 1 if convolves else rank - 1
            found = found + added.mean(tuple(at for at in range(rank) if at != axis), np.float64)
        return found

    def shifted(self, view: GraphView, shift: NDArray[np.float64]) -> GraphView:
        """The graph with `shift`, a number per output channel, added to the layer's bias, where it can have one.

        The bias is rounded as it will be when it is written, so that layers behind see that too, and make it good.
        """
        site = self.bias(view)
        if site is None:
            return view
        old = view.constants[site.tensor] if site.tensor else np.zeros(shift.size, np.float32)
        new = np.asarray(old + shift.reshape(-1), np.float32)
        new = new if self.low is None else self.low.round(new)
        if len(view.sites.get(site.tensor, ())) == 1:
            return replace(view, constants={**view.constants, site.tensor: new})
        name = view.names.fresh(f"{self.node.name}_bias")
        reader = view.by_name[site.node]
        inputs = [*reader.inputs, ""][: max(len(reader.inputs), site.index + 1)]
        inputs[site.index] = name
        nodes = tuple(replace(reader, inputs=tuple(inputs)) if node is reader else node for node in view.nodes)
        return replace(view, nodes=nodes, constants={**view.constants, name: new})


def layers(case: Case, formats: Mapping[str, Format]) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """The layers of a model in the order in which they are computed; and of each other quantized weight, why not it.

    Args:
        case: the model.
        formats: by name.
    """
    found: list[Layer] = []
    left: list[str] = []
    sites = {site.node: site for site in case.scales.weights}
    for node in (node for node in case.view.nodes if node.name in sites):
        site = sites[node.name]
        linear = Linear.of(case.view, node) if site.index == 1 else None
        if linear is None:
            left.append(f"{node} is left as it is: its weight is no matrix over patches of its input.")
        elif len(case.view.sites[site.tensor]) > 1:
            left.append(f"{node} is left as it is: others read its weight '{site.tensor}' as well.")
        else:
            read = Site(node.inputs[0], node.name, 0)
            weight = _stored(case.scales.weights[site], formats)
            found.append(
                Layer(node, linear, site, weight, stored(case, read, formats), Tail.of(case.view, node), case.low)
            )
    return tuple(found), tuple(left)


def stored(case: Case, site: Site, formats: Mapping[str, Format]) -> Stored | None:
    """How the activation that is read on an edge is stored, None if it is float."""
    if all(decision.site != site for decision in case.plan.quantized):
        return None
    return _stored(case.scales.activations[site.tensor], formats)


def limits(view: GraphView, node: Node) -> tuple[float, float]:
    """What a Relu or Clip cuts off at, below and above; infinite where that is computed at run time."""
    if node.op == "Relu":
        return 0.0, np.inf
    ends = [node.attributes.get("min", -np.inf), node.attributes.get("max", np.inf)]
    for index, tensor in enumerate(node.inputs[1:3]):
        if tensor in view.constants:
            ends[index] = float(view.constants[tensor].reshape(()))
    low, high = (float(end) for end in _numbers(ends))
    return low, high


def _numbers(ends: list[Any]) -> Iterator[float]:
    yield from (float(end) for end in ends)


def _stored(params: QuantParams, formats: Mapping[str, Format]) -> Stored:
    return Stored(params, formats[params.spec.format])


def _only_reader(view: GraphView, tensor: str) -> Site | None:
    sites = view.sites.get(tensor, ())
    return sites[0] if len(sites) == 1 and tensor not in view.outputs and tensor not in view.captured else None
