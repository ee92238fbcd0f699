"""A target is a table: which operators an engine runs in low precision, and what it fuses.

Rows are data with their reason and source; stages/plan interprets them. A condition is a small named function that
returns None, or the refusal as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxq.core.graph import GraphView, Node, Site


@dataclass(frozen=True)
class Scene:
    """What a condition may look at, beside the node in question.

    Attributes:
        view: the graph.
        target: the table being interpreted.
        heads: for each node that a kernel absorbs, the name of the weighted node that the kernel is built around;
            a weighted node is its own head.
        quantized: tensors that have a Q/DQ pair so far.
        readers: nodes that read INT8 so far.
        skipped: nodes that stay in float on request.
    """

    view: GraphView
    target: Target
    heads: Mapping[str, str]
    quantized: frozenset[str]
    readers: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()


Condition = Callable[[Scene, Node], str | None]
EdgeCondition = Callable[[Scene, Site], str | None]


@dataclass(frozen=True)
class Weight:
    """Where an operator's weight is, and the axis of its output channels.

    Attributes:
        input: the index of the input that holds it.
        axis: the channel axis of a node's weight; None stands for one scale per tensor.
    """

    input: int
    axis: Callable[[Scene, Node], int | None]


@dataclass(frozen=True)
class OpRule:
    """An operator whose inputs may be quantized.

    Attributes:
        op: the ONNX operator.
        inputs: indices of the activations that get Q/DQ.
        weights: where a weight may be; the first that is constant is taken. Empty for operators without weights.
        without_weight: conditions under which a node whose weights are all computed at run time stays in float.
        unless: conditions under which the node stays in float.
        unless_edge: conditions under which one of its inputs does.
        tail: operators with one run-time input that its kernel computes too, where kernels write integers.
        why: the reason, as a sentence.
        source: where that is documented.
    """

    op: str
    inputs: tuple[int, ...]
    why: str
    source: str
    weights: tuple[Weight, ...] = ()
    without_weight: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    unless_edge: tuple[EdgeCondition, ...] = ()
    tail: frozenset[str] = frozenset()

    def operands(self, node: Node) -> tuple[int, ...]:
        """Indices of the inputs of `node` that a kernel reads as integers, without those that are omitted."""
        indices = {weight.input for weight in self.weights} | set(self.inputs)
        return tuple(i for i in sorted(indices) if i < len(node.inputs) and node.inputs[i])


@dataclass(frozen=True)
class Residual:
    """An Add that a kernel absorbs if its other operand is quantized, and the chains that may lead to it.

    Attributes:
        op: the operator that joins the branches.
        chains: operator sequences, read upwards from the join, that end in the kernel's head.
    """

    op: str
    chains: tuple[tuple[str, ...], ...]
    why: str
    source: str


@dataclass(frozen=True)
class Tie:
    """An operator whose inputs, all or the first, and output must share one scale to be free of charge."""

    op: str
    why: str
    source: str
    all_inputs: bool = False


@dataclass(frozen=True)
class Target:
    """A placement table.

    Attributes:
        name: as recipes spell it.
        doc: one line for people.
        activations: the format of activations.
        weights: the format of weights.
        opset: the lowest ai.onnx opset that carries the target's Q/DQ.
        rules: one row per operator that may be quantized.
        residuals: joins that a kernel absorbs.
        ties: operators whose tensors share a scale.
        commuting: operators that Q/DQ pass through, as they move numbers or pick the largest.
        pointwise: operators that a kernel computes on its way out, if all else they read is constant or its own.
        absorbed: further operators that a kernel computes on its way out.
        float_ops: operators left in float, each with its reason.
        writes_integers: whether kernels write integers too, so that all readers of a result read it through a pair.
        rest: the name of the floating-point type of what is not quantized, unless a recipe says otherwise.
        advice: conditions under which a node or an edge is better left in float, though the engine could run it.
    """

    name: str
    doc: str
    activations: str
    weights: str
    opset: int
    rules: tuple[OpRule, ...]
    residuals: tuple[Residual, ...]
    ties: tuple[Tie, ...]
    commuting: frozenset[str]
    pointwise: frozenset[str]
    absorbed: frozenset[str]
    float_ops: Mapping[str, str]
    source: str
    writes_integers: bool = False
    rest: str = "fp32"
    advice: frozenset[Condition | EdgeCondition] = frozenset()

    def __post_init__(self) -> None:
        ops = [rule.op for rule in self.rules]
        if len(ops) != len(set(ops)):
            raise ValueError(f"Target '{self.name}' has two rules for one operator: {sorted(ops)}")
        rows: tuple[OpRule | Residual | Tie, ...] = (*self.rules, *self.residuals, *self.ties)
        if unsourced := [row for row in rows if not (row.why and row.source)]:
            raise ValueError(f"Target '{self.name}' has rows without reason or source: {unsourced}")

    def rule(self, node: Node) -> OpRule | None:
        """The row for `node`, if its operator may be quantized."""
        return next((rule for rule in self.rules if rule.op == node.op and not node.domain), None)


def tail(view: GraphView, tensor: str, rule: OpRule) -> str:
    """What a kernel of `rule` that computes `tensor` returns, after the operators that it computes on its way out."""
    while tensor not in view.outputs and tensor not in view.captured and len(sites := view.sites.get(tensor, ())) == 1:
        reader = view.by_name[sites[0].node]
        if reader.domain or reader.op not in rule.tail or len(view.variable_inputs(reader)) > 1:
            break
        tensor = reader.outputs[0]
    return tensor
