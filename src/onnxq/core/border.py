"""What a padded convolution lacks near its borders, if zeros are padded where another number stands for zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import GraphView, Node

SAME = {b"SAME_UPPER": 1, "SAME_UPPER": 1, b"SAME_LOWER": 0, "SAME_LOWER": 0}
"""The values of auto_pad that pad, and whether the odd one comes last."""


def border(view: GraphView, node: Node, moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is to be added to a convolution of shifted lanes, beside a bias: 0 except near the borders.

    Args:
        view: the graph, with static shapes of what the convolution reads and makes.
        node: the convolution.
        moved: (out_channels, in_channels / group, *kernel) its weights times the shifts of what they read.

    Returns:
        (1, out_channels, *made).
    """
    sums = moved.sum(1)
    read, made = view.shapes[node.inputs[0]][2:], view.shapes[node.outputs[0]][2:]
    total = sums
    for axis, (size, results) in enumerate(zip(read, made, strict=True)):
        taps = inside(node, axis, (int(size or 0), int(results or 0), sums.shape[1 + axis]))
        total = np.moveaxis(np.tensordot(taps, total, (1, 1 + axis)), 0, 1 + axis)
    whole = sums.reshape(len(sums), -1).sum(1).reshape(-1, *[1] * len(made))
    missing: NDArray[np.float64] = (total - whole)[None]
    return missing


def shares(view: GraphView, node: Node, kernel: tuple[int, ...]) -> NDArray[np.float64]:
    """(*kernel) the share of the places where each tap of a convolution reads a number, and not what is padded.

    Without known sizes it is 1; so it is of other layers, which have no kernel.
    """
    found = np.ones(kernel)
    read, made = (view.shapes.get(tensor, ())[2:] for tensor in (node.inputs[0], node.outputs[0]))
    for axis, sizes in enumerate(zip(read, made, kernel, strict=False)):
        if None not in (*read, *made):
            taps = inside(node, axis, (sizes[0] or 0, sizes[1] or 0, sizes[2])).mean(0)
            found = found * taps.reshape(-1, *[1] * (len(kernel) - 1 - axis))
    return found


def inside(node: Node, axis: int, sizes: tuple[int, int, int]) -> NDArray[np.float64]:
    """(results, taps) 1 where a tap of the kernel reads a number, 0 where it reads what is padded.

    Args:
        node: a convolution.
        axis: counted from its first spatial one.
        sizes: of what it reads and makes along that axis, and of the kernel.
    """
    size, results, taps = sizes
    stride, dilation = ((node.integers(name) or (1,) * (axis + 1))[axis] for name in ("strides", "dilations"))
    said = node.attributes.get("auto_pad", b"NOTSET")
    if said in SAME:
        whole = max((results - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
        before = (whole + 1 - SAME[said]) // 2
    else:
        before = (node.integers("pads") or (0,) * (axis + 1))[axis]
    places = np.arange(results)[:, None] * stride - before + np.arange(taps)[None, :] * dilation
    return ((places >= 0) & (places < size)).astype(np.float64)
