"""Stores inputs that hold integers, such as images, without any error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxq.core.affine import Affine, reparametrized
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis
from onnxq.core.steps import Seen, Steps

KEPT = frozenset(("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast"))
"""Operators that change no number."""

LINEAR = frozenset(("Conv", "Gemm", "MatMul"))

UNIT = 128.0
"""Steps in what becomes 1, where channels have different ones."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class FirstLayer:
    """Pixels are whole numbers from 0 to 255, whatever was subtracted from them and divided by.

    Where all numbers of an input lie on at most 256 even steps, a scale of one step stores them exactly. If codes do
    not reach them all, or channels have different steps, the input is shifted and rescaled in front, and the weights of
    the layers that read it take that back. What comes in front is one pointwise kernel with the QuantizeLinear.
    """

    name: ClassVar[str] = "first-layer"
    doc: ClassVar[str] = "stores inputs that hold integers, such as images, without any error"
    preserves: ClassVar[bool] = False

    def __call__(self, case: Case) -> Fixed:
        """See Fix."""
        done = Fixed(case.view, case.scales, reference=case.reference, plan=case.plan)
        for tensor in _inputs(case):
            done = _stored_exactly(case, done, tensor)
        return done if done.view is not case.view else replace(done, reference=None, plan=None)


def _inputs(case: Case) -> Iterator[str]:
    """Quantized tensors that hold the numbers of an input."""
    same = set(case.view.inputs)
    for node in case.view.nodes:
        if node.op in KEPT and not node.domain and node.inputs[0] in same:
            same.update(node.outputs)
    return (tensor for tensor in case.plan.activations if tensor in same)


def _stored_exactly(case: Case, done: Fixed, tensor: str) -> Fixed:
    readers = tuple(_quantized(case, tensor))
    nodes = [case.view.by_name[site.node] for site in readers]
    if len(case.plan.sharing[tensor]) > 1 or case.scales.activations[tensor].known:
        return _noted(done, f"'{tensor}' keeps its scale, which is known or shared.")
    axes = {1 if node.op == "Conv" else -1 for node in nodes}
    if not all(node.op in LINEAR and site.index == 0 for node, site in zip(nodes, readers, strict=True)):
        return _noted(done, f"'{tensor}' is read by more than Conv, Gemm and MatMul.")
    (axis,) = axes if len(axes) == 1 else (None,)
    steps = None if axis is None else _steps(case, tensor, axis)
    if axis is None or steps is None:
        return _noted(done, f"The numbers of '{tensor}' lie on no even steps, or on more than 256.")
    if len({round(one.size / steps[0].size, 3) for one in steps}) == 1 and all(one.are_even for one in steps):
        return _rescaled(done, tensor, steps[0].size)
    return _moved(case, done, tensor, Front.of(case, tensor, steps, axis))


def _steps(case: Case, tensor: str, axis: int) -> Sequence[Steps] | None:
    """The steps of each channel of a tensor; of all channels, where one does for all of them."""
    run, seen, whole = case.run(case.view, None, (tensor,)), Seen(), Seen()
    for number, batch in enumerate(case.samples.batches()):
        case.observer.advance(number, 0)
        values = np.moveaxis(batch.unpadded(run(batch.feeds)[tensor]), axis, 0)
        each = seen.look_at(values.reshape(len(values), -1))
        if not whole.look_at([values.reshape(-1)]) and not each:
            return None
    for found in (tuple(whole.steps()), tuple(seen.steps())):
        if known := [one for one in found if one is not None]:
            return known if len(known) == len(found) else None
    return None


def _rescaled(done: Fixed, tensor: str, scale: float) -> Fixed:
    """Where the scale alone does it."""
    assert done.scales is not None  # it is given from the start
    params = replace(done.scales.activations[tensor], scale=np.array(scale, np.float32))
    scales = Scales({**done.scales.activations, tensor: params}, done.scales.weights)
    return _noted(replace(done, scales=scales), f"'{tensor}' has a scale of one step, {scale:.6g}.")


def _moved(case: Case, done: Fixed, tensor: str, front: Front) -> Fixed:
    """Where numbers in front of the tensor's readers move to the codes."""
    reference = done.reference or done.view
    both = front.put_into(done.view), front.put_into(reference)
    assert done.scales is not None  # it is given from the start
    if both[0] is None or both[1] is None:
        return _noted(done, f"What reads '{tensor}' cannot take a shift up: {front.refusal(done.view)}.")
    plan = done.plan or case.plan
    decisions = tuple(
        replace(d, site=replace(d.site, tensor=front.made)) if d.site in front.readers else d for d in plan.decisions
    )
    activations = {front.made if t == tensor else t: params for t, params in done.scales.activations.items()}
    activations[front.made] = replace(activations[front.made], scale=np.array(front.step, np.float32))
    weights = {s: _widened(p, done.view, both[0], s) for s, p in done.scales.weights.items()}
    done = replace(done, view=both[0], scales=Scales(activations, weights), reference=both[1])
    done = replace(done, plan=replace(plan, decisions=decisions))
    return _noted(done, f"{' and '.join(node.op for node in front.nodes)} make whole numbers of '{tensor}'.")


@dataclass(frozen=True)
class Front:
    """What is put between a tensor and the layers that read it.

    Attributes:
        tensor: that is read.
        made: what is read in its place.
        readers: the edges that change.
        nodes: between the two.
        constants: that these read.
        units: (channels,) what is 1 behind, in numbers of the tensor.
        middles: (channels,) what is 0 behind.
        step: the scale of what is read.
        axis: along which channels lie.
    """

    tensor: str
    made: str
    readers: frozenset[Site]
    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[np.float32]]
    units: Real
    middles: Real
    step: float
    axis: int

    @staticmethod
    def of(case: Case, tensor: str, steps: Sequence[Steps], axis: int) -> Front:
        """What moves each number to the middle of its step."""
        names = case.view.names
        readers = frozenset(_quantized(case, tensor))
        sizes, middles = np.array([one.size for one in steps]), np.array([one.middle for one in steps])
        same = np.allclose(sizes, sizes[0], rtol=1e-3)
        units = np.ones(len(steps)) if same else UNIT * sizes
        made, between = names.fresh(f"{tensor}_centred"), names.fresh(f"{tensor}_shifted")
        rank = len(case.view.shapes[tensor])
        shape = [-1, *[1] * (rank - 1 - axis % rank)]
        constants, nodes = {}, []
        for op, values, read, written in (
            ("Sub", middles, tensor, made if same else between),
            *([] if same else [("Mul", 1.0 / units, between, made)]),
        ):
            constant = names.fresh(f"{written}_{op}_constant")
            constants[constant] = values.reshape(shape).astype(np.float32)
            nodes.append(Node(names.fresh(f"{written}_{op}"), op, (read, constant), (written,)))
        step = float(sizes[0]) if same else 1.0 / UNIT
        return Front(tensor, made, readers, tuple(nodes), constants, units, middles, step, axis)

    def put_into(self, view: GraphView) -> GraphView | None:
        """The graph with it, and with readers that take it back; None if they cannot."""
        moved = self._redirected(view)
        lanes = lanes_of(moved, {self.made: self._axes(view)})
        ids = lanes.of[self.made].ravel()
        if FIXED in lanes.scales[ids] or FIXED in lanes.shifts[ids]:
            return None
        scales, shifts = np.ones(lanes.scales.size), np.zeros(lanes.shifts.size)
        scales[lanes.scales[ids]], shifts[lanes.shifts[ids]] = self.units, self.middles / self.units
        after = reparametrized(moved, Affine.of(lanes, scales, shifts))
        place = 1 + max((n for n, node in enumerate(after.nodes) if self.tensor in node.outputs), default=-1)
        nodes = (*after.nodes[:place], *self.nodes, *after.nodes[place:])
        return replace(after, nodes=nodes, constants={**after.constants, **self.constants})

    def refusal(self, view: GraphView) -> str:
        """Why the readers cannot."""
        frozen = lanes_of(self._redirected(view), {self.made: self._axes(view)}).frozen
        return next((frozen[site.node] for site in self.readers if site.node in frozen), "its sizes are not known")

    def _redirected(self, view: GraphView) -> GraphView:
        """The graph with readers that read what has no producer yet."""
        sites = {(site.node, site.index) for site in self.readers}
        nodes = tuple(
            replace(
                node,
                inputs=tuple(self.made if (node.name, i) in sites else tensor for i, tensor in enumerate(node.inputs)),
            )
            for node in view.nodes
        )
        known = {tensor: view.shapes[self.tensor] for node in self.nodes for tensor in node.outputs}
        types = dict.fromkeys(known, "float32")
        return replace(view, nodes=nodes, shapes={**view.shapes, **known}, dtypes={**view.dtypes, **types})

    def _axes(self, view: GraphView) -> tuple[int, ...]:
        """The shape of its lanes."""
        sizes = view.shapes[self.tensor]
        shape = [1] * len(sizes)
        shape[self.axis] = sizes[self.axis] or len(self.units)
        return tuple(shape)


def _quantized(case: Case, tensor: str) -> Iterator[Site]:
    return (d.site for d in case.plan.quantized if d.site.tensor == tensor)


def _widened(params: QuantParams, before: GraphView, after: GraphView, site: Site) -> QuantParams:
    """The scale of a weight that has changed: as much larger as its largest number."""
    old, new = np.abs(before.constants[site.tensor]), np.abs(after.constants[site.tensor])
    if np.array_equal(old, new):
        return params
    cut = params.spec.granularity
    axes = tuple(a for a in range(old.ndim) if isinstance(cut, PerAxis) and a != cut.axis % old.ndim)
    tops = [array.max(axis=axes or None) for array in (old, new)]
    growth = np.divide(tops[1], tops[0], out=np.ones_like(tops[0]), where=tops[0] > 0)
    return replace(params, scale=(params.scale * growth).astype(np.float32).reshape(params.scale.shape))


def _noted(done: Fixed, note: str) -> Fixed:
    return replace(done, notes=(*done.notes, note))
