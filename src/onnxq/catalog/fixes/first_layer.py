"""Stores inputs that hold integers, such as images, without any error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from onnxq.core.chain import COUNTING, KEPT, Chain
from onnxq.core.fix import Case, Fixed
from onnxq.core.graph import GraphView, Site
from onnxq.core.intake import Intake
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis
from onnxq.core.steps import Seen, Steps, common_size

LINEAR = frozenset(("Conv", "Gemm", "MatMul"))


@dataclass(frozen=True)
class FirstLayer:
    """Pixels are whole numbers from 0 to 255, whatever was subtracted from them and divided by.

    Where all numbers of an input lie on at most 256 even steps, a scale of one step stores them exactly. If codes do
    not reach them all, or channels have different steps, the input is shifted and rescaled in front, and the weights of
    the layers that read it take that back. What comes in front is one pointwise kernel with the QuantizeLinear.
    Preprocessing in the graph that multiplies or adds constants goes into these weights and biases as well: the layers
    read the numbers that it starts with.
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
    """Quantized tensors that hold the numbers of an input, or numbers that constants make of these."""
    same = set(case.view.inputs)
    for node in case.view.nodes:
        read = case.view.variable_inputs(node) if node.op in COUNTING else node.inputs[:1]
        if node.op in KEPT | COUNTING and not node.domain and same.issuperset(read) and len(read) == 1:
            same.update(node.outputs)
    return (tensor for tensor in case.plan.activations if tensor in same)


def _stored_exactly(case: Case, done: Fixed, tensor: str) -> Fixed:
    readers = tuple(_quantized(case, tensor))
    nodes = [case.view.by_name[site.node] for site in readers]
    if len(case.plan.sharing[tensor]) > 1 or case.scales.activations[tensor].known:
        return _noted(done, f"'{tensor}' keeps its scale, which is known or shared.")
    if not all(node.op in LINEAR and site.index == 0 for node, site in zip(nodes, readers, strict=True)):
        return _noted(done, f"'{tensor}' is read by more than Conv, Gemm and MatMul.")
    axes = {1 if node.op == "Conv" else -1 for node in nodes}
    if len(axes) > 1:
        return _noted(done, f"'{tensor}' has other channels for Conv than for Gemm or MatMul.")
    return _read_as_codes(case, done, Chain.of(done.view, tensor, *axes), readers)


def _read_as_codes(case: Case, done: Fixed, chain: Chain, readers: Sequence[Site]) -> Fixed:
    """What can be done for the readers of the end of a chain."""
    steps = _steps(case, done.view, chain)
    if steps is None:
        return _noted(done, f"The numbers of '{chain.start}' lie on no even steps, or on more than 256.")
    if (chain.factor <= 0).any():
        return _noted(done, f"What makes '{chain.end}' of '{chain.start}' turns numbers around, so it is left.")
    if not chain.nodes and (size := common_size(steps)):
        return _rescaled(done, chain.end, size)
    return _moved(case, done, Intake.of(done.view, chain, steps, readers))


def _steps(case: Case, view: GraphView, chain: Chain) -> Sequence[Steps] | None:
    """The steps of each channel where a chain starts; of all channels, where one does for all of them."""
    copies = chain.copied(view.names)
    tensor = copies[-1].outputs[0] if copies else chain.start
    run, seen, whole = case.run(view.behind(chain.start, copies), None, (tensor,)), Seen(), Seen()
    for number, batch in enumerate(case.samples.batches()):
        case.observer.advance(number, 0)
        values = np.moveaxis(batch.unpadded(run(batch.feeds)[tensor]), chain.axis, 0)
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


def _moved(case: Case, done: Fixed, intake: Intake) -> Fixed:
    """Where numbers in front of the tensor's readers move to the codes."""
    tensor, reference = intake.chain.end, done.reference or done.view
    both = intake.put_into(done.view), intake.put_into(reference)
    assert done.scales is not None  # it is given from the start
    if both[0] is None or both[1] is None:
        return _noted(done, f"What reads '{tensor}' cannot take a shift up: {intake.refusal(done.view)}.")
    present = done.scales.activations.get(intake.made)
    if present is not None and present.scale != np.float32(intake.step):
        return _noted(done, f"'{intake.made}' is quantized for others too, with another scale.")
    plan = done.plan or case.plan
    decisions = tuple(
        replace(d, site=replace(d.site, tensor=intake.made)) if d.site in intake.readers else d
        for d in plan.decisions
        if d.site.node in both[0].by_name
    )
    activations = {intake.made if t == tensor else t: params for t, params in done.scales.activations.items()}
    activations[intake.made] = replace(activations[intake.made], scale=np.array(intake.step, np.float32))
    weights = {s: _widened(p, done.view, both[0], s) for s, p in done.scales.weights.items()}
    done = replace(done, view=both[0], scales=Scales(activations, weights), reference=both[1])
    done = replace(done, plan=replace(plan, decisions=decisions))
    return _noted(done, str(intake))


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
