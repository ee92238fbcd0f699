"""The scales of every quantized tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.float_type import FloatType
from onnxq.core.graph import Site
from onnxq.core.spec import PerAxis, Spec


@dataclass(frozen=True)
class QuantParams:
    """What a Q/DQ pair carries.

    Attributes:
        scale: float32, shape () per tensor or (channels,) per axis; positive and finite.
        spec: the format and granularity.
        source: the calibrator's name; for a tensor whose scale is shared, with whom.
        floored: how many scales had no values to be computed from and were set to a floor.
        zero_point: the code of 0.0.
        known: whether the scale comes from elsewhere, and is taken to the bit.
    """

    scale: NDArray[np.float32]
    spec: Spec
    source: str
    floored: int = 0
    zero_point: int = 0
    known: bool = False

    def stored_in(self, low: FloatType) -> QuantParams:
        """The same with scales that `low` holds."""
        return replace(self, scale=low.scale(self.scale))

    def on_grid(self, grid: FloatType) -> QuantParams:
        """The same with scales that `grid` holds too, where it has all its digits."""
        return self if self.known else replace(self, scale=grid.grid(self.scale))

    def broadcastable(self, rank: int) -> NDArray[np.float32]:
        """The scale in a shape that broadcasts against a tensor of `rank` axes."""
        if not isinstance(self.spec.granularity, PerAxis):
            return self.scale
        shape = [1] * rank
        shape[self.spec.granularity.axis] = -1
        return self.scale.reshape(shape)


@dataclass(frozen=True)
class Scales:
    """Scales of activations by tensor, and of weights by site: two readers of one weight may cut it differently."""

    activations: Mapping[str, QuantParams]
    weights: Mapping[Site, QuantParams]

    def stored_in(self, low: FloatType) -> Scales:
        """The same with scales that `low` holds; weights are then quantized against these."""
        return Scales(
            {tensor: params.stored_in(low) for tensor, params in self.activations.items()},
            {site: params.stored_in(low) for site, params in self.weights.items()},
        )

    def on_grid(self, grid: FloatType) -> Scales:
        """The same with scales that `grid` holds too: integers are then the same, whichever type the rest has."""
        return Scales(
            {tensor: params.on_grid(grid) for tensor, params in self.activations.items()},
            {site: params.on_grid(grid) for site, params in self.weights.items()},
        )

    def of(self, sites: Iterable[Site]) -> Scales:
        """Those of these edges alone."""
        edges = frozenset(sites)
        read = {site.tensor for site in edges}
        return Scales(
            {tensor: params for tensor, params in self.activations.items() if tensor in read},
            {site: params for site, params in self.weights.items() if site in edges},
        )

    def floored(self) -> Iterable[tuple[str, int]]:
        """Tensors of which some scale is a floor, with the number of such scales."""
        yield from ((tensor, p.floored) for tensor, p in self.activations.items() if p.floored)
        yield from ((site.tensor, p.floored) for site, p in self.weights.items() if p.floored)
