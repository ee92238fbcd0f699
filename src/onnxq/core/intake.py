"""What layers read in the place of an input: the whole numbers that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.affine import Affine, reparametrized
from onnxq.core.chain import COUNTING, Chain
from onnxq.core.graph import GraphView, Node, Shape, Site
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.core.steps import Steps, common_size

UNIT = 128.0
"""Steps in what becomes 1, where channels have different ones."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Intake:
    """What is put between the start of a chain and the layers that read its end.

    Attributes:
        chain: what makes the tensor that is read.
        readers: the edges that change.
        nodes: between the two.
        constants: that these read.
        units: (1,) or (channels,) what is 1 behind, in numbers of the tensor.
        middles: (1,) or (channels,) what is 0 behind.
        step: the scale of what is read.
    """

    chain: Chain
    readers: frozenset[Site]
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[np.float32]]
    units: Real
    middles: Real
    step: float

    @staticmethod
    def of(view: GraphView, chain: Chain, steps: Sequence[Steps], readers: Sequence[Site]) -> Intake:
        """What moves each number to the middle of its step.

        Args:
            view: the graph.
            chain: what makes the tensor that is read.
            steps: of all numbers where the chain starts, or of each channel.
            readers: of the tensor.
        """
        names, tensor = view.names, chain.end
        sizes, middles = np.array([one.size for one in steps]), np.array([one.middle for one in steps])
        same, fitting = np.allclose(sizes, sizes[0], rtol=1e-3), common_size(steps) is not None
        units, middles = np.ones(1) if same else UNIT * sizes, np.zeros(1) if fitting else middles
        shape = [-1, *[1] * (len(view.shapes[tensor]) - 1 - chain.axis)]
        constants, nodes = {}, list(chain.copied(names))
        for op, values, stem in (
            *([] if fitting else [("Sub", middles, "centred" if same else "shifted")]),
            *([] if same else [("Mul", 1.0 / units, "centred")]),
        ):
            read, made = nodes[-1].outputs[0] if nodes else chain.start, names.fresh(f"{tensor}_{stem}")
            constant = names.fresh(f"{made}_{op}_constant")
            constants[constant] = values.reshape(shape).astype(np.float32)
            nodes.append(Node(names.fresh(f"{made}_{op}"), op, (read, constant), (made,)))
        step = float(sizes[0]) if same else 1.0 / UNIT
        units, middles = units * chain.factor, middles * chain.factor + chain.offset
        return Intake(chain, frozenset(readers), tuple(nodes), constants, units, middles, step)

    @property
    def made(self) -> str:
        """What is read in the tensor's place."""
        return self.nodes[-1].outputs[0] if self.nodes else self.chain.start

    def __str__(self) -> str:
        """A sentence on what it does."""
        ops = [node.op for node in self.nodes if node.op in COUNTING]
        before = [node.op for node in self.chain.nodes if node.op in COUNTING]
        instead = f", in place of {', '.join(before)}" if before else ""
        if not ops:
            return f"Whole numbers of '{self.chain.start}' are read as they are{instead}."
        return f"{' and '.join(ops)} make{'s'[len(ops) - 1 :]} whole numbers of '{self.chain.start}'{instead}."

    def put_into(self, view: GraphView) -> GraphView | None:
        """The graph with it, and with readers that take it back; None if they cannot."""
        hole = view.names.fresh(self.chain.end)
        opened = self._read(view, hole)
        lanes = lanes_of(opened, {hole: self._axes(view)})
        ids = lanes.of[hole].ravel()
        if FIXED in lanes.scales[ids] or FIXED in lanes.shifts[ids]:
            return None
        scales, shifts = np.ones(lanes.scales.size), np.zeros(lanes.shifts.size)
        scales[lanes.scales[ids]], shifts[lanes.shifts[ids]] = self.units, self.middles / self.units
        after = reparametrized(opened, Affine.of(lanes, scales, shifts))
        after = replace(after, shapes={tensor: shape for tensor, shape in after.shapes.items() if tensor != hole})
        after = self._read(after, self.made).behind(self.chain.start, self.nodes)
        after = replace(after, constants={**after.constants, **self.constants})
        return after.without_idle(self.chain.nodes)

    def refusal(self, view: GraphView) -> str:
        """Why the readers cannot."""
        hole = view.names.fresh(self.chain.end)
        frozen = lanes_of(self._read(view, hole), {hole: self._axes(view)}).frozen
        return next((frozen[site.node] for site in self.readers if site.node in frozen), "its sizes are not known")

    def _read(self, view: GraphView, tensor: str) -> GraphView:
        """The graph with readers of another tensor, which is like the one that they read."""
        sites = {(site.node, site.index) for site in self.readers}
        nodes = tuple(
            replace(
                node, inputs=tuple(tensor if (node.name, i) in sites else read for i, read in enumerate(node.inputs))
            )
            for node in view.nodes
        )
        likes = [*(node.outputs[0] for node in self.chain.moving), *[self.chain.end] * len(self.nodes)]
        made = {node.outputs[0]: like for node, like in zip(self.nodes, likes, strict=False)}
        known: dict[str, Shape] = {one: view.shapes[like] for one, like in {**made, tensor: self.chain.end}.items()}
        types = dict.fromkeys(known, "float32")
        return replace(view, nodes=nodes, shapes={**known, **view.shapes}, dtypes={**types, **view.dtypes})

    def _axes(self, view: GraphView) -> tuple[int, ...]:
        """The shape of its lanes."""
        sizes = view.shapes[self.chain.end]
        shape = [1] * len(sizes)
        shape[self.chain.axis] = sizes[self.chain.axis] or self.units.size
        return tuple(shape)
