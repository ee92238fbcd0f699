"""A tensor that is fetched out of the middle of a model."""

from __future__ import annotations

from dataclasses import dataclass

from onnxq.core.graph import GraphView, Node

_INPUT_CHANNELS = {"Conv": 1, "ConvTranspose": 1, "MatMul": -1}


@dataclass(frozen=True)
class Tap:
    """What is measured of a tensor.

    Attributes:
        tensor: its name.
        axis: of the channels whose extremes are measured; None where no weight reads them one by one.
        bytes: about what its values take for one batch.
        histogram: whether more than its extremes is measured.
    """

    tensor: str
    axis: int | None = None
    bytes: int = 0
    histogram: bool = True


def channel_axis(view: GraphView, tensor: str) -> int | None:
    """The axis of `tensor` over which a Conv, ConvTranspose, MatMul or Gemm sums with a constant weight.

    None if nothing does, or different readers do along different axes.
    """
    found = {
        _axis(view.by_name[site.node])
        for site in view.sites.get(tensor, ())
        if site.index == 0 and _has_weight(view, view.by_name[site.node])
    }
    return found.pop() if len(found) == 1 else None


def _axis(node: Node) -> int:
    if node.op == "Gemm":
        return 0 if node.integer("transA", 0) else 1
    return _INPUT_CHANNELS[node.op]


def _has_weight(view: GraphView, node: Node) -> bool:
    known = node.op in _INPUT_CHANNELS or node.op == "Gemm"
    return known and not node.domain and len(node.inputs) > 1 and view.is_constant(node.inputs[1])
