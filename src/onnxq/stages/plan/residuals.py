"""Finds residual joins, and which of their two operands is the shortcut.

A kernel that ends in a join (Conv + Add) can read the other operand as INT8. That operand, the shortcut, gets Q/DQ;
the operand that the kernel itself computes must not. Where both operands come from a convolution, the longer way to
the node where they part is the main path and the shorter one the shortcut.

Source: ModelOpt 0.47, build_non_residual_input_map; TensorRT guide, residual connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from onnxq.core.graph import GraphView, Node
from onnxq.core.plan import Plan
from onnxq.core.target import Residual, Target
from onnxq.errors import RecipeError, near_misses

Overrides = Mapping[str, int | None]
"""For some joins by name, the index of the operand that is the shortcut, or None if neither is to be quantized."""

AS_FOUND: Overrides = MappingProxyType({})


def residual_joins(view: GraphView, target: Target, overrides: Overrides = AS_FOUND) -> dict[str, tuple[int, Residual]]:
    """For each residual join, the index of its shortcut operand and the row that says so.

    Args:
        view: the graph.
        target: its rows say which operators join branches.
        overrides: where somebody knows better.

    Raises:
        RecipeError: an override names no residual join, or leaves an operand that no kernel computes.
    """
    found: dict[str, tuple[int, Residual]] = {}
    for node in view.nodes:
        for row in target.residuals:
            if node.op == row.op and not node.domain and (shortcut := _shortcut(view, target, row, node)) is not None:
                found[node.name] = shortcut, row
    for name, given in overrides.items():
        if problem := _problem(view, target, found, name, given):
            raise RecipeError(problem)
    better = {name: given for name, given in overrides.items() if given is not None}
    return {name: (better.get(name, shortcut), row) for name, (shortcut, row) in found.items()}


def joins_of(made: Plan, view: GraphView, target: Target) -> dict[str, tuple[int, Residual]]:
    """The same with the shortcuts that a plan quantizes, where they can be some."""
    found = residual_joins(view, target)
    said = said_shortcuts(made)
    return residual_joins(view, target, {n: i for n, i in said.items() if not _problem(view, target, found, n, i)})


def said_shortcuts(made: Plan) -> Overrides:
    """The operand that a plan quantizes of each of its joins."""
    joins = frozenset(made.residuals)
    return {d.site.node: d.site.index for d in made.quantized if d.site.node in joins}


def _problem(
    view: GraphView, target: Target, found: Mapping[str, tuple[int, Residual]], name: str, given: int | None
) -> str | None:
    """Why `given` cannot be the shortcut of the join `name`."""
    join = view.by_name.get(name)
    if join is None:
        return f"The residual join '{name}' is no node of the model.{near_misses(name, found or view.by_name)}"
    if name not in found:
        return (
            f"{join} is no residual join for the target '{target.name}': that adds the result of a convolution to "
            f"something else of one shape.{near_misses(name, found)}"
        )
    if given is not None and _head(view, target, found[name][1], join.inputs[1 - given]) is None:
        return (
            f"Operand {given} of {join} cannot be the shortcut: no convolution computes the other one, "
            f"'{join.inputs[1 - given]}', and could add it."
        )
    return None


def _shortcut(view: GraphView, target: Target, row: Residual, join: Node) -> int | None:
    """The index of the operand of `join` to quantize, None if it is no residual join."""
    if not _may_join(view, join):
        return None
    heads = [_head(view, target, row, tensor) for tensor in join.inputs]
    if heads[0] == heads[1]:  # none, or two ways out of one kernel
        return None
    ways = [_distances(view, tensor) for tensor in join.inputs]
    fork = min(ways[0].keys() & ways[1].keys(), key=lambda name: (ways[0][name] + ways[1][name], name), default=None)
    if heads[0] and heads[1]:
        return 1 if fork and ways[0][fork] > ways[1][fork] else 0
    main = 0 if heads[0] else 1
    starts_inside = fork is not None and ways[main][fork] <= ways[main][heads[main] or fork]
    return None if starts_inside else 1 - main  # what the other branch reads, the kernel must store before any join


def _may_join(view: GraphView, join: Node) -> bool:
    """Whether `join` adds two different tensors of one shape that are computed at run time."""
    if len(join.inputs) != 2 or join.inputs[0] == join.inputs[1]:
        return False
    return not any(view.is_constant(tensor) for tensor in join.inputs) and _same_shape(view, *join.inputs)


def _head(view: GraphView, target: Target, row: Residual, tensor: str) -> str | None:
    """The node at the far end of one of the row's chains that leads up from `tensor`, None if none does."""
    return next((head for chain in row.chains if (head := _follow(view, target, chain, tensor))), None)


def _follow(view: GraphView, target: Target, chain: tuple[str, ...], tensor: str) -> str | None:
    node = view.producers.get(tensor)
    while node is not None and node.op != chain[0] and _transparent(view, target, node):
        node = view.producers.get(view.variable_inputs(node)[0])
    if node is None or node.domain or node.op != chain[0]:
        return None
    if len(chain) == 1:
        return node.name
    if chain[:2] == ("Mul", "Sigmoid"):
        return _follow_swish(view, target, chain[2:], node)
    return _follow(view, target, chain[1:], node.inputs[0])


def _follow_swish(view: GraphView, target: Target, rest: tuple[str, ...], mul: Node) -> str | None:
    """What lies above x in x * sigmoid(x)."""
    for gate, value in (mul.inputs, mul.inputs[::-1]):
        sigmoid = view.producers.get(gate)
        if sigmoid and sigmoid.op == "Sigmoid" and sigmoid.inputs[0] == value:
            return _follow(view, target, rest, value)
    return None


def _transparent(view: GraphView, target: Target, node: Node) -> bool:
    """Whether a kernel computes `node` without ending: a copy, or an Add or Mul with a constant."""
    if node.domain or len(view.variable_inputs(node)) != 1:
        return False
    return node.op in target.commuting or node.op in ("Add", "Mul", "BatchNormalization")


def _same_shape(view: GraphView, left: str, right: str) -> bool:
    """Whether the operands may have one shape: a join that broadcasts is no residual one."""
    one, other = view.shapes.get(left), view.shapes.get(right)
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(a == b or None in (a, b) for a, b in zip(one, other, strict=True))


def _distances(view: GraphView, tensor: str) -> dict[str, int]:
    """For each node and graph input above `tensor`, how many nodes lie between."""
    found: dict[str, int] = {}
    queue = deque([(tensor, 0)])
    while queue:
        at, steps = queue.popleft()
        node = view.producers.get(at)
        name = node.name if node else at
        if name in found or view.is_constant(at):
            continue
        found[name] = steps
        if node:
            queue.extend((t, steps + 1) for t in view.variable_inputs(node))
    return found
