"""Layers that are looked at together: a layer with its tail, or all layers of a residual block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxq.core.graph import GraphView, Node
from onnxq.core.layer import Layer


@dataclass(frozen=True)
class Block:
    """A piece of a graph.

    Attributes:
        nodes: layers, Add, Relu and Clip, in the order of the graph.
        layers: those of them whose weights are quantized.
        inputs: the run-time tensors that come from outside.
        output: the tensor in the end.
    """

    nodes: tuple[Node, ...]
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    output: str


def blocks(view: GraphView, layers: Sequence[Layer]) -> tuple[Block, ...]:
    """All layers in blocks, in the order of the graph: residual blocks where there are, else layer by layer."""
    by_name = {layer.node.name: layer for layer in layers}
    made: list[Block] = []
    taken: set[str] = set()
    for layer in layers:
        if (block := _residual(view, layer, by_name)) and not taken & {one.node.name for one in block.layers}:
            made.append(block)
            taken.update(one.node.name for one in block.layers)
    made += [_single(view, layer) for layer in layers if layer.node.name not in taken]
    places = {node.name: place for place, node in enumerate(view.nodes)}
    return tuple(sorted(made, key=lambda block: places[block.nodes[0].name]))


def _single(view: GraphView, layer: Layer) -> Block:
    """A layer with its tail, as far as the shortcut is there before the layer is."""
    shortcut, names = layer.tail.shortcut, [node.name for node in view.nodes]
    source = view.producers.get(shortcut.tensor) if shortcut else None
    late = source is not None and names.index(source.name) > names.index(layer.node.name)
    given = (layer.node.inputs[0], *((shortcut.tensor,) if shortcut else ()))
    output = layer.node.outputs[0] if late else layer.tail.output
    piece = view.between(given, (output,))
    return Block(piece.nodes, (layer,), piece.inputs, output)


def _residual(view: GraphView, layer: Layer, layers: dict[str, Layer]) -> Block | None:
    """All from where the branches part to the join behind `layer`, if it is made of layers and of what is in tails."""
    if layer.tail.shortcut is None:
        return None
    beside = set(_upwards(view, layer.tail.shortcut.tensor, layers))
    start = next((tensor for tensor in _upwards(view, layer.node.inputs[0], layers) if tensor in beside), None)
    if start is None:
        return None
    piece = view.between((start,), (layer.tail.output,))
    inside = {node.name for node in piece.nodes}
    inner = [node.outputs[0] for node in piece.nodes if node.outputs[0] != layer.tail.output]
    closed = all(site.node in inside for tensor in inner for site in view.sites[tensor])
    if piece.inputs != (start,) or not closed or not all(_is_simple(view, node, layers) for node in piece.nodes):
        return None
    found = tuple(layers[node.name] for node in piece.nodes if node.name in layers)
    return Block(piece.nodes, found, piece.inputs, layer.tail.output)


def _upwards(view: GraphView, tensor: str, layers: dict[str, Layer]) -> Iterator[str]:
    """`tensor`, and what it is computed from as far as there is one way."""
    yield tensor
    node = view.producers.get(tensor)
    while node and _is_simple(view, node, layers) and len(read := view.variable_inputs(node)) == 1:
        yield read[0]
        node = view.producers.get(read[0])


def _is_simple(view: GraphView, node: Node, layers: dict[str, Layer]) -> bool:
    if node.op in ("Relu", "Clip"):
        return len(view.variable_inputs(node)) == 1
    return node.op == "Add" or node.name in layers
