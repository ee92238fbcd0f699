"""A Conv, Gemm or MatMul as what all three are: matrices that are multiplied with patches of the input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.graph import GraphView, Node

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Window:
    """How a convolution slides over its input: a number per spatial axis; of `pads` the begins, then the ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]

    @staticmethod
    def of(node: Node, kernel: tuple[int, ...], size: tuple[int, ...]) -> Window:
        """The window of a Conv.

        Args:
            node: the Conv.
            kernel: spatial axes of its weight.
            size: spatial axes of its input.
        """
        rank = len(kernel)
        strides = node.integers("strides") or (1,) * rank
        dilations = node.integers("dilations") or (1,) * rank
        pads = node.integers("pads") or (0,) * 2 * rank
        auto = node.attributes.get("auto_pad", "NOTSET")
        auto = auto.decode() if isinstance(auto, bytes) else auto
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
            total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(size, strides, reach, strict=True)]
            small, large = [t // 2 for t in total], [t - t // 2 for t in total]
            pads = (*small, *large) if auto == "SAME_UPPER" else (*large, *small)
        elif auto == "VALID":
            pads = (0,) * 2 * rank
        return Window(kernel, strides, dilations, tuple(pads))

    def view(self, x: Floats) -> Floats:
        """Every patch of `x` (samples, channels, *size), without being copied from a padded `x`.

        Returns:
            (samples, *positions, channels, *kernel)
        """
        rank = len(self.kernel)
        x = np.pad(x, [(0, 0), (0, 0), *zip(self.pads[:rank], self.pads[rank:], strict=True)])
        out = self.positions(x, padded=True)
        steps = x.strides[2:]
        return np.lib.stride_tricks.as_strided(
            x,
            (x.shape[0], *out, x.shape[1], *self.kernel),
            (
                x.strides[0],
                *(b * s for b, s in zip(steps, self.strides, strict=True)),
                x.strides[1],
                *(b * d for b, d in zip(steps, self.dilations, strict=True)),
            ),
            writeable=False,
        )

    def positions(self, x: Floats, padded: bool = False) -> tuple[int, ...]:
        """At how many places along each spatial axis a patch of `x` is taken."""
        rank = len(self.kernel)
        around = [0] * rank if padded else [b + e for b, e in zip(self.pads[:rank], self.pads[rank:], strict=True)]
        sizes = [n + p for n, p in zip(x.shape[2:], around, strict=True)]
        reach = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        return tuple((n - r) // s + 1 for n, r, s in zip(sizes, reach, self.strides, strict=True))

    def gathered(self, columns: Floats, x: Floats) -> Floats:
        """Each number of all patches added to the one of `x` that it was taken from: the shape of `x`.

        Args:
            columns: all patches, (groups, columns, places).
            x: the input that they are of.
        """
        rank, places = len(self.kernel), self.positions(x)
        parts = columns.reshape(x.shape[1], *self.kernel, x.shape[0], *places)
        sizes = [b + n + e for b, n, e in zip(self.pads[:rank], x.shape[2:], self.pads[rank:], strict=True)]
        found = np.zeros((x.shape[1], x.shape[0], *sizes), columns.dtype)
        for tap in np.ndindex(*self.kernel):
            starts = [t * d for t, d in zip(tap, self.dilations, strict=True)]
            reached = [slice(b, b + s * n, s) for b, s, n in zip(starts, self.strides, places, strict=True)]
            found[(slice(None), slice(None), *reached)] += parts[(slice(None), *tap)]
        inner = [slice(b, b + n) for b, n in zip(self.pads[:rank], x.shape[2:], strict=True)]
        return np.moveaxis(found[(slice(None), slice(None), *inner)], 0, 1)


@dataclass(frozen=True)
class Linear:
    """A weighted node.

    Attributes:
        node: the Conv, Gemm or MatMul.
        shape: of its weight.
    """

    node: Node
    shape: tuple[int, ...]

    @staticmethod
    def of(view: GraphView, node: Node) -> Linear | None:
        """The node as matrices, None if it is nothing of the kind."""
        if len(node.inputs) < 2 or node.inputs[1] not in view.constants or node.domain:
            return None
        weight = view.constants[node.inputs[1]]
        if node.op == "Conv" and weight.ndim > 2:
            return Linear(node, weight.shape)
        plain = (
            not node.integer("transA", 0)
            and node.attributes.get("alpha", 1.0) == node.attributes.get("beta", 1.0) == 1.0
        )
        if weight.ndim == 2 and (node.op == "MatMul" or (node.op == "Gemm" and plain)):
            return Linear(node, weight.shape)
        return None

    @property
    def groups(self) -> int:
        """Parts of the channels that have nothing to do with each other."""
        return self.node.integer("group", 1) if self.node.op == "Conv" else 1

    @property
    def outputs(self) -> int:
        """How many output channels there are."""
        return self.shape[1] if self._turned else self.shape[0]

    @property
    def inputs(self) -> int:
        """How many input channels there are, of all groups together."""
        return self.shape[0] if self._turned else self.shape[1] * self.groups

    @cached_property
    def _turned(self) -> bool:
        return self.node.op == "MatMul" or (self.node.op == "Gemm" and not self.node.integer("transB", 0))

    def matrices(self, weight: Floats) -> Floats:
        """The weight as (groups, rows, columns): a row per output channel, a column per number of a patch."""
        flat = weight.T if self._turned else weight
        return flat.reshape(self.groups, flat.shape[0] // self.groups, -1)

    def weight(self, matrices: Floats) -> Floats:
        """What `matrices` makes matrices of."""
        if self._turned:
            return np.ascontiguousarray(matrices.reshape(self.shape[::-1]).T)
        return matrices.reshape(self.shape)

    def patches(self, x: Floats, places: NDArray[np.intp]) -> Floats:
        """Patches of the input `x`: (groups, places, columns).

        Args:
            x: (samples, channels, *size) for a Conv, else (..., columns).
            places: flat numbers of (samples, *positions).
        """
        if self.node.op != "Conv":
            return x.reshape(-1, x.shape[-1])[places][None]
        patches = self.window(x).view(x)
        rank = len(self.shape) - 2
        found = patches[np.unravel_index(places, patches.shape[: rank + 1])]
        return found.reshape(len(places), self.groups, -1).transpose(1, 0, 2)

    def patch(self, values: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The patch that has one value in each channel: (groups, columns).

        Args:
            values: (inputs,).
            shares: (*kernel) what each tap has of them.
        """
        spread = values.reshape(self.groups, -1, 1) * shares.reshape(1, 1, -1)
        return spread.reshape(self.groups, -1)

    def columns(self, x: Floats) -> Floats:
        """All patches of `x` side by side: (groups, columns, places)."""
        if self.node.op != "Conv":
            return np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T)[None]
        patches = self.window(x).view(x)
        rank = len(self.shape) - 2
        turned = np.moveaxis(patches, range(rank + 1, patches.ndim), range(rank + 1))
        return turned.reshape(self.groups, math.prod(self.shape[1:]), -1)

    def forward(self, x: Floats, matrices: Floats) -> Floats:
        """What the node computes of `x`, without its bias."""
        return self.outputs_of(matrices @ self.columns(x), x)

    def outputs_of(self, products: Floats, x: Floats) -> Floats:
        """Products (groups, rows, places) in the shape of an output for `x`."""
        if self.node.op != "Conv":
            turned: Floats = products[0].T.reshape(*x.shape[:-1], -1)
            return turned
        places = self.window(x).positions(x)
        return np.moveaxis(products.reshape(-1, x.shape[0], *places), 0, 1)

    def products_of(self, y: Floats) -> Floats:
        """An output in the shape of products: (groups, rows, places)."""
        if self.node.op != "Conv":
            return np.ascontiguousarray(y.reshape(-1, y.shape[-1]).T)[None]
        return np.moveaxis(y, 1, 0).reshape(self.groups, self.outputs // self.groups, -1)

    def gathered(self, columns: Floats, x: Floats) -> Floats:
        """The sum over all patches of what they have of each number of the input `x`, in its shape."""
        if self.node.op != "Conv":
            found: Floats = columns[0].T.reshape(x.shape)
            return found
        return self.window(x).gathered(columns, x)

    def gradients(self, x: Floats, matrices: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """Of something by `x` and by the weight.

        Args:
            x: the input.
            matrices: the weight.
            slope: the gradient of the same by the output.
        """
        products = self.products_of(slope)
        by_weight = products @ np.swapaxes(self.columns(x), 1, 2)
        return self.gathered(np.swapaxes(matrices, 1, 2) @ products, x), by_weight

    def window(self, x: Floats) -> Window:
        """How the Conv slides over `x`."""
        return Window.of(self.node, self.shape[2:], x.shape[2:])

    def multiplications(self, y: Floats) -> int:
        """How many make the output `y`."""
        return self.places(y) * math.prod(self.shape)

    def rows(self, y: Floats, places: NDArray[np.intp]) -> Floats:
        """The outputs `y` at these places: (groups, places, rows)."""
        flat = np.moveaxis(y, 1, -1) if self.node.op == "Conv" else y
        flat = (
            flat.reshape(-1, flat.shape[-1])[places]
            if self.node.op != "Conv"
            else flat[np.unravel_index(places, flat.shape[:-1])]
        )
        return flat.reshape(len(places), self.groups, -1).transpose(1, 0, 2)

    def places(self, y: Floats) -> int:
        """How many places the output `y` has."""
        channels: int = y.shape[1 if self.node.op == "Conv" else -1]
        return y.size // channels
