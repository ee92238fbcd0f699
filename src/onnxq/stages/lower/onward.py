"""Where the numbers of a tensor go on, when all of them do: what is measured there tells their range."""

from __future__ import annotations

from collections.abc import Container, Iterator

from onnxq.core.graph import GraphView, Node

SATURATING = frozenset(("Clip", "Relu"))
"""Operators that make of an overflow what they make of any large number."""

KEEPING = frozenset("Concat DepthToSpace Flatten Identity Reshape SpaceToDepth Squeeze Transpose Unsqueeze".split())
"""Operators that hand on every number that they read, perhaps beside others."""


def onward(view: GraphView, tensor: str, known: Container[str]) -> str | None:
    """The tensor of `known` whose largest number is at least that of `tensor`: all that is in one arrives in the other.

    Its smallest number tells as much, but for one that a Relu or a MaxPool behind a Relu has lifted. None if there is
    no such tensor, or if something else reads a tensor on the way.
    """
    reader = only_reader(view, tensor)
    while reader is not None and _hands_on(view, tensor, reader):
        tensor = reader.outputs[0]
        if tensor in known:
            return tensor
        reader = only_reader(view, tensor)
    return None


def only_reader(view: GraphView, tensor: str) -> Node | None:
    """The node that reads `tensor`, if it is one of ONNX's and nothing else does."""
    sites = view.sites.get(tensor, ())
    if len(sites) != 1 or tensor in view.outputs or tensor in view.captured:
        return None
    reader = view.by_name[sites[0].node]
    return None if reader.domain else reader


def _hands_on(view: GraphView, tensor: str, reader: Node) -> bool:
    if reader.op == "MaxPool":
        producer = view.producers.get(tensor)  # of negative numbers it would hide the largest magnitudes
        return producer is not None and producer.op == "Relu" and _covers(view, reader)
    return reader.op in KEEPING or (reader.op in SATURATING and reader.inputs[0] == tensor)


def _covers(view: GraphView, pool: Node) -> bool:
    """Whether each number is in a window of `pool`."""
    windows = pool.integers("kernel_shape")
    strides, dilations = (pool.integers(name) or (1,) * len(windows) for name in ("strides", "dilations"))
    if max(dilations) > 1 or any(stride > window for stride, window in zip(strides, windows, strict=True)):
        return False
    return all(end <= 0 for end in _left_over(view, pool, windows, strides))


def _left_over(view: GraphView, pool: Node, windows: tuple[int, ...], strides: tuple[int, ...]) -> Iterator[float]:
    """How many numbers lie behind the last window, by axis; infinitely many where the shape is not known."""
    sizes = (view.shapes.get(pool.inputs[0]) or ())[2:] or (None,) * len(windows)
    outs = (view.shapes.get(pool.outputs[0]) or ())[2:] or (None,) * len(windows)
    pads = pool.integers("pads") or (0,) * 2 * len(windows)
    for size, out, window, stride, pad in zip(sizes, outs, windows, strides, pads, strict=False):
        yield float("inf") if size is None or out is None else size + pad - (out - 1) * stride - window
