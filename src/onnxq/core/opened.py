"""A Mul by numbers for each channel in front of weights, where nothing else could take the units of channels up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from onnxq.core.channels import channels
from onnxq.core.graph import GraphView, Node
from onnxq.core.lanes import FIXED, Lanes


def closed(view: GraphView, lanes: Lanes) -> Iterator[str]:
    """Tensors whose channels are left as they are, though only the weights of MatMul and Gemm read them."""
    for tensor in (tensor for node in view.nodes for tensor in node.outputs if tensor in lanes.of):
        counts = {_read(view, reader, tensor) for reader in view.consumers(tensor)}
        is_read = len(counts) == 1 and counts.isdisjoint((0, 1)) and view.dtype(tensor) == "float32"
        is_seen = tensor in view.outputs or tensor in view.captured or len(view.shapes.get(tensor, ())) < 2
        if is_read and not is_seen and (lanes.scales[lanes.of[tensor]] == FIXED).any():
            yield tensor


def opened(view: GraphView, tensors: Iterable[str]) -> GraphView:
    """The graph with numbers for the channels of these tensors, all alike, in a Mul or Div that makes them.

    Where the node that makes one multiplies or divides by one number already, that becomes as many; elsewhere a Mul by
    ones is added.

    Args:
        view: the graph.
        tensors: some of those that are closed.
    """
    for tensor in tensors:
        count = _read(view, next(view.consumers(tensor)), tensor)
        view = _spread(view, tensor, count) if has_number(view, tensor) else _multiplied(view, tensor, count)
    return view


def has_number(view: GraphView, tensor: str) -> bool:
    """Whether the node that makes a tensor multiplies or divides by one number, so that it takes no node more."""
    return _place(view, view.producers[tensor]) is not None


def _read(view: GraphView, node: Node, tensor: str) -> int:
    """How many channels of a tensor a MatMul or Gemm multiplies by a matrix of weights; 0 for any other node."""
    found = channels(view, node) if node.op in ("MatMul", "Gemm") else None
    return found[0] if found is not None and node.inputs[0] == tensor and tensor not in node.inputs[1:] else 0


def _place(view: GraphView, node: Node) -> int | None:
    """Which input of a Mul or Div is one number."""
    places = {"Mul": (1, 0), "Div": (1,)}.get(node.op, ()) if not node.domain else ()
    constants = (place for place in places if view.is_constant(node.inputs[place]))
    return next((place for place in constants if view.constants[node.inputs[place]].shape in ((), (1,))), None)


def _spread(view: GraphView, tensor: str, count: int) -> GraphView:
    node, names = view.producers[tensor], view.names
    place = _place(view, node)
    assert place is not None  # has_number says so
    given, name = view.constants[node.inputs[place]], names.fresh(f"{node.name}_factors")
    inputs = tuple(name if index == place else read for index, read in enumerate(node.inputs))
    nodes = tuple(replace(node, inputs=inputs) if other is node else other for other in view.nodes)
    constants = {**view.constants, name: np.full(count, given.item(), np.float32)}
    return replace(view, nodes=nodes, constants=constants)


def _multiplied(view: GraphView, tensor: str, count: int) -> GraphView:
    node, names = view.producers[tensor], view.names
    raw, name = names.fresh(f"{tensor}_unscaled"), names.fresh(f"{tensor}_factors")
    outputs = tuple(raw if made == tensor else made for made in node.outputs)
    added = Node(names.fresh(f"{tensor}_Mul"), "Mul", (raw, name), (tensor,))
    nodes = tuple(replace(node, outputs=outputs) if other is node else other for other in view.nodes)
    constants = {**view.constants, name: np.ones(count, np.float32)}
    shapes, dtypes = {**view.shapes, raw: view.shapes[tensor]}, {**view.dtypes, raw: "float32"}
    return replace(view, nodes=nodes, constants=constants, shapes=shapes, dtypes=dtypes).behind(raw, (added,))
