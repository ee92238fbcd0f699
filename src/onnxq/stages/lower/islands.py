"""Regions of cheap nodes that only FP32 surrounds: they stay in FP32 too, which saves casts."""

from __future__ import annotations

from collections.abc import Iterator

from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.rest import Kept

COMPUTE = frozenset("Attention Conv ConvTranspose Einsum Gemm GRU LSTM MatMul RNN".split())
"""Operators for whose sake the short type is there."""


def flooded(view: GraphView, kept: frozenset[str], quantized: frozenset[Site], low_io: bool) -> Iterator[Kept]:
    """The nodes between FP32 and FP32.

    Args:
        view: the graph.
        kept: nodes that stay in FP32.
        quantized: edges that are read as integers, and so need no cast.
        low_io: whether the graph's inputs and outputs are of the short type.
    """
    dry = {node.name for node in view.nodes if node.name not in kept and _cheap(view, node)}
    edges = {name: tuple(_neighbours(view, view.by_name[name], quantized)) for name in dry}
    seen: set[str] = set()
    for name in (node.name for node in view.nodes if node.name in dry):
        if name in seen:
            continue
        region, waiting = {name}, [name]
        while waiting:
            for other in edges[waiting.pop()]:
                if other in dry and other not in region:
                    region.add(other)
                    waiting.append(other)
        seen |= region
        border = {other for member in region for other in edges[member]} - region
        touches = border & kept
        if touches and border <= kept | ({INTERFACE} if not low_io else set()):
            reason = "it lies between nodes in FP32, and would need casts on both sides"
            yield from (Kept(n.name, n.op, reason, "onnxq") for n in view.nodes if n.name in region)


INTERFACE = ""
"""Stands for the graph's inputs and outputs among neighbours."""


def _cheap(view: GraphView, node: Node) -> bool:
    return node.op not in COMPUTE and any(view.dtype(t) == "float32" for t in (*node.inputs, *node.outputs) if t)


def _neighbours(view: GraphView, node: Node, quantized: frozenset[Site]) -> Iterator[str]:
    """The nodes on the other side of its float32 edges."""
    for index, tensor in enumerate(node.inputs):
        floats = view.dtype(tensor) == "float32" and not view.is_constant(tensor)
        if floats and Site(tensor, node.name, index) not in quantized:
            producer = view.producers.get(tensor)
            yield producer.name if producer else INTERFACE
    for tensor in node.outputs:
        if view.dtype(tensor) == "float32":
            yield from (site.node for site in view.sites.get(tensor, ()) if site not in quantized)
            if tensor in view.outputs or tensor in view.captured:
                yield INTERFACE
