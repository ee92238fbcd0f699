"""Turns a target's rows into one decision per edge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import READ_BACK, SKIPPED, Decision, Plan
from onnxq.core.spec import PerAxis, PerTensor, Spec
from onnxq.core.target import Condition, EdgeCondition, OpRule, Residual, Scene, Target, tail
from onnxq.stages.plan.decoding import DECODES, decoding_nodes
from onnxq.stages.plan.kernels import kernel_heads
from onnxq.stages.plan.residuals import AS_FOUND, Overrides, residual_joins

STORED = "float32"
"""The only type that is quantized; anything else is no FP32 model's activation or weight."""


def place(
    view: GraphView,
    target: Target,
    skipped: frozenset[str] = frozenset(),
    included: frozenset[str] = frozenset(),
    overrides: Overrides = AS_FOUND,
) -> Plan:
    """A plan with every decision about `view`, without ties.

    Weighted operators come first, then the joins their kernels absorb. What lies between kernels comes last and from
    the outputs upwards, as each operator there depends on whether its result is read as INT8.

    Args:
        view: a prepared graph.
        target: the table to interpret.
        skipped: nodes that stay in float on request.
        included: nodes that are quantized on request, although the table advises against it.
        overrides: which operand of some residual joins is the shortcut.

    Raises:
        RecipeError: an override fits no join.
    """
    joins = residual_joins(view, target, overrides)
    heads = kernel_heads(view, target, joins)
    board = _Board(view, target, skipped, included, heads, joins, decoding_nodes(view, target))
    rules = {node.name: rule for node in view.nodes if (rule := target.rule(node))}
    if target.writes_integers:
        _forwards(board, rules)
    for node in view.nodes:
        if node.name in rules and rules[node.name].weights and not board.knows(node):
            board.decide(_weighted(board, node, rules[node.name]))
    for name, (shortcut, row) in joins.items():
        board.decide(_join(board, view.by_name[name], shortcut, row))
    for node in reversed(view.nodes):
        if node.name in rules and not board.knows(node):
            board.decide(_between(board, node, rules[node.name]))
    for node in view.nodes:
        if not board.knows(node):
            board.decide(_float(board, node))
    return Plan(
        target=target.name,
        fingerprint=view.fingerprint,
        decisions=tuple(board.in_order()),
        residuals=tuple(name for name in joins if board.is_quantized(name)),
    )


def _forwards(board: _Board, rules: Mapping[str, OpRule]) -> None:
    """Decides from the inputs downwards, where kernels write what they read: one integer result leads to the next."""
    for node in board.view.nodes:
        rule = rules.get(node.name)
        if rule is None:
            continue
        board.decide(_weighted(board, node, rule) if rule.weights else _between(board, node, rule))
        if board.is_quantized(node.name):
            for tensor in (tail(board.view, t, rule) for t in node.outputs if t):
                board.quantized.add(tensor)
                for site in board.view.sites.get(tensor, ()):
                    op = board.view.by_name[site.node].op
                    spec = Spec(board.target.activations)
                    board.read_back[site] = Decision(site, spec, READ_BACK, rule.source, op)


@dataclass
class _Board:
    """The decisions so far."""

    view: GraphView
    target: Target
    skipped: frozenset[str]
    included: frozenset[str]
    heads: Mapping[str, str]
    joins: Mapping[str, tuple[int, Residual]]
    decoding: frozenset[str]
    made: dict[Site, Decision] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    quantized: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)
    read_back: dict[Site, Decision] = field(default_factory=dict)

    @property
    def scene(self) -> Scene:
        quantized, readers = frozenset(self.quantized), frozenset(self.readers)
        return Scene(self.view, self.target, self.heads, quantized, readers, self.skipped)

    def obeys(self, node: str, condition: Condition | EdgeCondition) -> bool:
        """Whether `condition` counts for `node`: who includes a node has heard the advice."""
        return not (node in self.included and condition in self.target.advice)

    def decide(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self.made[decision.site] = decision
            self.decided.add(decision.site.node)
            if decision.spec:
                self.readers.add(decision.site.node)
                if decision.spec.role == "activation":
                    self.quantized.add(decision.site.tensor)

    def knows(self, node: Node) -> bool:
        return node.name in self.decided

    def is_quantized(self, name: str) -> bool:
        return name in self.readers

    def in_order(self) -> Iterator[Decision]:
        for node in self.view.nodes:
            for index, tensor in enumerate(node.inputs):
                site = Site(tensor, node.name, index)
                made, read_back = self.made.get(site), self.read_back.get(site)
                if decision := made if made and made.spec else read_back or made:
                    yield decision

    def refuse(self, node: Node, index: int, reason: str, source: str) -> Decision:
        return Decision(Site(node.inputs[index], node.name, index), None, reason, source, node.op)

    def accept(self, node: Node, index: int, spec: Spec, row: OpRule | Residual) -> Decision:
        return Decision(Site(node.inputs[index], node.name, index), spec, row.why, row.source, node.op)

    def wrong_type(self, tensor: str) -> str | None:
        """Why `tensor` cannot be quantized for what it holds."""
        constant = self.view.constants.get(tensor)
        dtype = self.view.dtype(tensor) or STORED
        if dtype != STORED:
            return f"tensor '{tensor}' is {dtype}, and only {STORED} is quantized"
        if constant is None and self.view.shapes.get(tensor) == ():
            return f"tensor '{tensor}' is a scalar, which Q/DQ cannot carry"
        if constant is not None and constant.size == 0:
            return f"tensor '{tensor}' is empty"
        if constant is not None and not np.isfinite(constant).all():
            return f"tensor '{tensor}' holds NaN or Inf"
        return None


def _weighted(board: _Board, node: Node, rule: OpRule) -> Iterator[Decision]:
    """Quantizes all of a weighted operator's operands, or none: a kernel cannot read one INT8 operand."""
    present = rule.operands(node)
    weight = next(
        (w for w in rule.weights if w.input in present and board.view.is_constant(node.inputs[w.input])), None
    )
    refusal = _refusal(board, node, rule.unless if weight else (*rule.without_weight, *rule.unless))
    refusal = refusal or next((text for i in present if (text := board.wrong_type(node.inputs[i]))), None)
    for index in present:
        if refusal:
            yield board.refuse(node, index, refusal, rule.source)
        elif weight and index == weight.input:
            axis = weight.axis(board.scene, node)
            cut = PerTensor() if axis is None else PerAxis(axis)
            yield board.accept(node, index, Spec(board.target.weights, cut, "weight"), rule)
        elif not board.view.is_constant(node.inputs[index]):
            yield board.accept(node, index, Spec(board.target.activations), rule)
    for index in range(max(present, default=-1) + 1, len(node.inputs)):
        if node.inputs[index]:
            yield board.refuse(node, index, "a bias is added to the 32-bit sum, in float", "parser; guide")


def _join(board: _Board, node: Node, shortcut: int, row: Residual) -> Iterator[Decision]:
    """Quantizes the shortcut of a residual join if the kernel that ends in it is quantized."""
    refusal = _skip(board, node) or board.wrong_type(node.inputs[shortcut])
    head = board.heads.get(node.name)
    if refusal is None and head is None:
        refusal = "no kernel can absorb it: what it adds comes from several"
    elif refusal is None and head is not None and not board.is_quantized(head):
        refusal = f"'{head}', whose kernel it ends, stays in float"
    for index in (0, 1):
        if index == shortcut and refusal is None:
            yield board.accept(node, index, Spec(board.target.activations), row)
        elif refusal is not None:
            yield board.refuse(node, index, refusal, row.source)
        else:
            yield board.refuse(node, index, f"'{head}' computes this operand in the same kernel", row.source)


def _between(board: _Board, node: Node, rule: OpRule) -> Iterator[Decision]:
    """Quantizes the inputs of an operator that lies between kernels, if no condition is against it."""
    indices = [i for i in rule.inputs if i < len(node.inputs) and node.inputs[i]]
    refusal = _refusal(board, node, rule.unless)
    for index in indices:
        site = Site(node.inputs[index], node.name, index)
        reason = refusal or board.wrong_type(site.tensor)
        reason = reason or next(
            (text for c in rule.unless_edge if board.obeys(node.name, c) and (text := c(board.scene, site))), None
        )
        if reason:
            yield board.refuse(node, index, reason, rule.source)
        else:
            yield board.accept(node, index, Spec(board.target.activations), rule)


def _float(board: _Board, node: Node) -> Iterator[Decision]:
    """Says why a node without a rule stays in float, once per node that reads float at all."""
    index = next((i for i, t in enumerate(node.inputs) if t and board.view.dtypes.get(t, STORED) == STORED), None)
    if index is None or board.view.is_constant(node.inputs[index]):
        return
    head = board.heads.get(node.name)
    if skipped := _skip(board, node):
        reason = skipped
    elif node.domain:
        reason = f"the domain '{node.domain}' is not ONNX's, so its INT8 behaviour is unknown"
    elif head:
        reason = f"it is fused into the kernel of '{head}'"
    elif node.op in board.target.commuting:
        reason = "Q/DQ pass through it: it runs in the type of its neighbours"
    else:
        reason = board.target.float_ops.get(node.op, "the target has no INT8 rule for this operator")
    yield board.refuse(node, index, reason, board.target.source)


def _refusal(board: _Board, node: Node, conditions: Iterable[Condition]) -> str | None:
    scene = board.scene
    return _skip(board, node) or next(
        (text for c in conditions if board.obeys(node.name, c) and (text := c(scene, node))), None
    )


def _skip(board: _Board, node: Node) -> str | None:
    if node.name in board.skipped:
        return SKIPPED
    return DECODES if node.name in board.decoding - board.included else None
