"""A block run forwards and backwards, with Q/DQ: its output, and how that depends on weights, biases and scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxq.core.batch import Tensors
from onnxq.core.block import Block
from onnxq.core.graph import GraphView, Node
from onnxq.core.layer import Layer, Stored, limits
from onnxq.core.linear import Floats

Values = dict[str, Floats]


def codes(layer: Layer) -> str:
    """What the codes of a layer are called among parameters: (groups, rows, columns), not rounded."""
    return f"codes {layer.node.name}"


def shift(layer: Layer) -> str:
    """What is added to a layer's bias: (outputs,)."""
    return f"shift {layer.node.name}"


def scale(tensor: str) -> str:
    """The natural logarithm of an activation's scale: ()."""
    return f"scale {tensor}"


@dataclass(frozen=True)
class Tape:
    """A block that can be run.

    Attributes:
        block: the nodes.
        view: the graph that they are of.
        stored: how what is read on an edge is stored, by node and input number; absent where it is float.
    """

    block: Block
    view: GraphView
    stored: Mapping[tuple[str, int], Stored]

    @property
    def constants(self) -> Tensors:
        """What its nodes read of the graph."""
        read = (tensor for node in self.block.nodes for tensor in node.inputs)
        return {tensor: self.view.constants[tensor] for tensor in read if tensor in self.view.constants}

    def play(self, given: Mapping[str, Floats], parameters: Values) -> Played:
        """Runs the block.

        Args:
            given: its inputs.
            parameters: codes of all its layers; shifts and scales, where they differ from what there is.
        """
        played = Played(self, dict(given), parameters, {}, {})
        for node in self.block.nodes:
            played.values[node.outputs[0]] = played.compute(node)
        return played


@dataclass(frozen=True)
class Played:
    """A run.

    Attributes:
        tape: what was run.
        values: of all tensors.
        parameters: as they were.
        read: what quantized edges brought, by tensor.
        columns: the patches of each layer.
    """

    tape: Tape
    values: Values
    parameters: Values
    read: Values
    columns: Values

    @property
    def output(self) -> Floats:
        """What came out."""
        return self.values[self.tape.block.output]

    def compute(self, node: Node) -> Floats:
        """The output of a node."""
        if layer := self._layer(node):
            return self._product(layer, self._input(node, 0))
        if node.op == "Add":
            return self._input(node, 0) + self._input(node, 1)
        low, high = limits(self.tape.view, node)
        return np.clip(self._input(node, 0), np.float32(low), np.float32(high))

    def gradients(self, slope: Floats) -> Values:
        """Of something by all parameters; rounding counts as if it were not there.

        Args:
            slope: the gradient of the same by the output.
        """
        slopes: Values = {self.tape.block.output: slope}
        found: Values = {}
        for node in reversed(self.tape.block.nodes):
            behind = slopes.pop(node.outputs[0])
            if layer := self._layer(node):
                self._return(slopes, found, node, 0, self._through(layer, behind, found))
            elif node.op == "Add":
                self._return(slopes, found, node, 0, behind)
                self._return(slopes, found, node, 1, behind)
            else:
                x, (low, high) = self._input(node, 0), limits(self.tape.view, node)
                self._return(slopes, found, node, 0, behind * ((x > low) & (x < high)))
        return found

    def _layer(self, node: Node) -> Layer | None:
        return next((layer for layer in self.tape.block.layers if layer.node.name == node.name), None)

    def _input(self, node: Node, index: int) -> Floats:
        tensor = node.inputs[index]
        if tensor in self.tape.view.constants:
            return self.tape.view.constants[tensor]
        kept = self.tape.stored.get((node.name, index))
        if kept is None:
            return self.values[tensor]
        if tensor not in self.read:
            step = self._step(kept, tensor)
            self.read[tensor] = kept.format.round_trip(self.values[tensor], step, kept.params.zero_point)
        return self.read[tensor]

    def _step(self, kept: Stored, tensor: str) -> Floats:
        known = self.parameters.get(scale(tensor))
        return kept.params.scale if known is None else np.exp(known, dtype=np.float32)

    def _weight(self, layer: Layer) -> Floats:
        most = layer.weight.format.high
        whole = np.clip(layer.weight.format.snap(self.parameters[codes(layer)]), -most, most)
        return (whole * layer.steps).astype(np.float32)

    def _product(self, layer: Layer, x: Floats) -> Floats:
        columns = self.columns[layer.node.name] = layer.linear.columns(x)
        products = self._weight(layer) @ columns
        offset = layer.offset(self.tape.view) + self.parameters.get(shift(layer), np.float32(0))
        products += offset.astype(np.float32).reshape(*products.shape[:2], 1)
        return layer.linear.outputs_of(products, x)

    def _through(self, layer: Layer, slope: Floats, found: Values) -> Floats:
        """The gradient by what the layer read; those by its parameters go into `found`."""
        x, products = self._input(layer.node, 0), layer.linear.products_of(slope)
        by_weight = products @ np.swapaxes(self.columns[layer.node.name], 1, 2)
        found[codes(layer)] = (by_weight * layer.steps).astype(np.float32)
        if shift(layer) in self.parameters:
            found[shift(layer)] = products.sum(axis=2).reshape(-1)
        return layer.linear.gathered(np.swapaxes(self._weight(layer), 1, 2) @ products, x)

    def _return(self, slopes: Values, found: Values, node: Node, index: int, slope: Floats) -> None:
        """Hands a gradient on to the tensor that was read on an edge, through Q/DQ."""
        tensor = node.inputs[index]
        if tensor in self.tape.view.constants:
            return
        kept = self.tape.stored.get((node.name, index))
        if kept is not None:
            step = self._step(kept, tensor)
            place = self.values[tensor] / step + kept.params.zero_point
            inside = (place > kept.format.low) & (place < kept.format.high)
            if scale(tensor) in self.parameters:
                by_scale = np.where(inside, self.read[tensor] - self.values[tensor], self.read[tensor])
                found[scale(tensor)] = found.get(scale(tensor), np.zeros(())) + np.asarray(np.sum(slope * by_scale))
            slope = slope * inside
        slope = _folded(slope, self.values[tensor].shape)
        if tensor not in self.tape.block.inputs:
            slopes[tensor] = slopes[tensor] + slope if tensor in slopes else slope


def _folded(slope: Floats, shape: tuple[int, ...]) -> Floats:
    """The gradient by something of `shape` that was spread to the shape of `slope`."""
    more = slope.ndim - len(shape)
    axes = (*range(more), *(more + k for k, n in enumerate(shape) if n == 1 and slope.shape[more + k] > 1))
    return slope.sum(axis=axes).reshape(shape) if axes else slope
