"""How much noise in a channel comes out at the end, told by the weights that it passes: a model, not a measurement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxq.core.channels import weight_channels
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.lane_rules import factors
from onnxq.core.lanes import FIXED, Lanes

Real = NDArray[np.float64]

MEANS = frozenset(("AveragePool", "GlobalAveragePool", "ReduceMean"))

NOTHING = np.zeros(1, np.int64)

ACTIVE = 0.5
"""The share of numbers that a Relu lets pass, where nobody has looked."""


class Gains:
    """The energy at the outputs of white noise of variance 1 in all numbers of a channel.

    Noise of different numbers is taken to be independent; what a node does that is not in the table is taken to
    hand on what it reads.
    """

    def __init__(self, view: GraphView, lanes: Lanes, active: Mapping[str, Real]) -> None:
        """Goes through the graph from its end.

        Args:
            view: the graph.
            lanes: of it.
            active: for results of Relu and Clip the share of numbers that pass, by channel.
        """
        self._view, self._lanes, self._active = view, lanes, active
        self._of_lanes = np.zeros(lanes.scales.size)
        self._of_tensors: dict[str, float] = {}
        self._of_sites: dict[Site, Real] = {}
        for tensor in view.outputs:
            self._put(tensor, np.ones(1))
        for node in reversed(view.nodes):
            for index, tensor in enumerate(node.inputs):
                if tensor and not view.is_constant(tensor):
                    self._look_at(node, index)

    def site(self, site: Site) -> Real:
        """Of the channels of a tensor as one node reads it; broadcasts against the tensor's lanes."""
        return self._of_sites.get(site, np.ones(1))

    def tensor(self, tensor: str) -> Real:
        """Of the channels of a tensor, whoever reads it; in the shape of its lanes."""
        ids = self._lanes.of.get(tensor)
        if ids is None or not ids.any():
            return np.full((1,) if ids is None else ids.shape, self._of_tensors.get(tensor, 0.0))
        return self._of_lanes[ids]

    def _put(self, tensor: str, gain: Real) -> None:
        ids = self._lanes.of.get(tensor)
        if ids is None or not ids.any():
            self._of_tensors[tensor] = self._of_tensors.get(tensor, 0.0) + float(gain.mean())
            return
        np.add.at(self._of_lanes, ids, np.broadcast_to(gain, ids.shape))
        self._of_lanes[FIXED] = 0.0

    def _look_at(self, node: Node, index: int) -> None:
        tensor, made = node.inputs[index], self.tensor(node.outputs[0])
        ids, results = self._lanes.of.get(tensor, NOTHING), self._lanes.of.get(node.outputs[0], NOTHING)
        if ids.any() and np.isin(ids[ids > 0], results).any():  # lanes are handed on, with the gain that they have
            self._of_sites[Site(tensor, node.name, index)] = self._of_lanes[ids].ravel()
            return
        if node.op in ("Conv", "ConvTranspose", "Gemm", "MatMul") and self._view.is_constant(node.inputs[1]):
            gain = self._weighted(node, made)
        else:
            gain = self._plain(node, tensor, made)
        gain = gain.ravel() if gain.size == ids.size else gain.mean(keepdims=True).ravel()
        self._of_sites[Site(tensor, node.name, index)] = gain
        self._put(tensor, gain.reshape(ids.shape) if gain.size == ids.size else gain)

    def _weighted(self, node: Node, made: Real) -> Real:
        weight = self._view.constants[node.inputs[1]].astype(np.float64)
        if node.name in self._lanes.frozen:
            return np.array([(weight**2).sum() / weight.shape[0] * made.mean()])
        reads, makes = weight_channels(node, weight)
        energy = weight**2 * np.broadcast_to(made.ravel(), (int(makes.max()) + 1,))[makes]
        counts: Real = np.bincount(np.broadcast_to(reads, weight.shape).ravel(), energy.ravel()).astype(np.float64)
        return counts

    def _plain(self, node: Node, tensor: str, made: Real) -> Real:
        if node.op in ("Relu", "Clip"):
            share = self._active.get(node.outputs[0])
            return made * (ACTIVE if share is None or share.size != made.size else share.reshape(made.shape))
        if node.op in MEANS:
            return made / max(1, self._numbers(tensor) // max(1, self._numbers(node.outputs[0])))
        place = factors(self._view, node) if node.op in ("Mul", "Div") else None
        if place is not None and node.name not in self._lanes.frozen:
            given = self._view.constants[node.inputs[place]].astype(np.float64)
            return np.asarray(made * (given if node.op == "Mul" else 1.0 / given) ** 2)
        return made

    def _numbers(self, tensor: str) -> int:
        return int(np.prod([size or 1 for size in self._view.shapes.get(tensor, ())]))
