"""Which nodes are meant: by name, operator, place in the graph, or shape.

A condition is written ``key:value``, a selector as one or more of them with `` & `` between: all must be met. Without a
key it is a name or a glob, or with arrows a pattern:

    /layer1/conv          the node of that name
    /layer1/*             a glob; ``*`` means all nodes
    re:layer[34]          a regular expression that is found in the name
    op:Softmax            an operator
    from:a                what a node or tensor leads to, the node itself included
    to:b                  what leads to a node or tensor; ``from:a & to:b`` is everything on a path between
    Conv -> Sigmoid       a pattern: operators that read each other's result
    position:last 2       the first or last operators with weights, or ``last_before_output``: those behind which no
                          other comes on the way to an output
    channels:<16          operators with weights whose input or output channels are fewer
    is:grouped            convolutions in groups; ``is:depthwise`` are those with one input channel to a group
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from onnxq.core.channels import channels, is_depthwise, is_grouped
from onnxq.core.graph import GraphView, Node
from onnxq.errors import RecipeError, near_misses

EVERYTHING, KIND, PLACE, NAME = range(4)
"""How specific a condition is: ``*``; an operator or a shape; a place, or several names; one name."""

Specificity = tuple[int, int]
"""The most specific of a selector's conditions, then how many there are."""

JOINED, ARROW = " & ", " -> "


@dataclass(frozen=True)
class Condition:
    """One thing that is asked of a node: the key and the value of ``key:value``."""

    key: str
    value: str

    def __post_init__(self) -> None:
        if self.key not in _KEYS:
            known = ", ".join(_KEYS)
            raise RecipeError(f"Unknown key '{self.key}' of a selector. Keys: {known}.{near_misses(self.key, _KEYS)}")
        if problem := _KEYS[self.key].problem(self.value):
            raise RecipeError(f"The selector '{self}' {problem}")

    def __str__(self) -> str:
        plain = _condition(self.value)
        return self.value if plain == (self.key, self.value) else f"{self.key}:{self.value}"

    def select(self, view: GraphView, weighted: frozenset[str]) -> frozenset[str]:
        """The names of the nodes that meet it."""
        return frozenset(_KEYS[self.key].find(view, weighted, self.value))

    def specificity(self, view: GraphView) -> int:
        """How specific it is, in a graph: what looks like a glob may be a name there."""
        if self.key == "name" and self.value in view.by_name:
            return NAME
        return EVERYTHING if (self.key, self.value) == ("name", "*") else _KEYS[self.key].specificity

    def hint(self, view: GraphView) -> str:
        """What could have been meant by a condition that no node meets."""
        known = sorted(_KEYS[self.key].known(view))
        listed = " `onnxq plan` lists the names of all nodes." if known else ""
        return near_misses(self.value, known) or listed


@dataclass(frozen=True)
class Selector:
    """Names nodes: those that meet all conditions.

    Attributes:
        conditions: at least one.
        origin: where it is written, such as ``recipe.yaml:12``; messages begin with it.
    """

    conditions: tuple[Condition, ...]
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.conditions, str):
            raise RecipeError(f"A selector is made of text by Selector.of('{self.conditions}').")
        if not self.conditions:
            raise RecipeError("A selector needs a condition, such as 'op:Conv'.")

    @staticmethod
    def of(text: str, origin: str = "") -> Selector:
        """The selector that `text` spells.

        Raises:
            RecipeError: a value is none that its key can have.
        """
        return Selector(tuple(Condition(*_condition(part)) for part in text.split(JOINED)), origin)

    @staticmethod
    def named(name: str) -> Selector:
        """The selector of one node."""
        return Selector((Condition("name", name),))

    def __str__(self) -> str:
        return JOINED.join(map(str, self.conditions))

    @property
    def is_text(self) -> bool:
        """Whether its text spells it again: a name with `` & `` in it would be cut."""
        return JOINED.join(str(c) for c in self.conditions).split(JOINED) == [str(c) for c in self.conditions]

    def select(self, view: GraphView, weighted: frozenset[str]) -> frozenset[str]:
        """The names of the nodes meant.

        Args:
            view: a prepared graph.
            weighted: the names of the nodes that positions are counted in.

        Raises:
            RecipeError: there are none; the message has near misses.
        """
        found = [condition.select(view, weighted) for condition in self.conditions]
        if chosen := frozenset.intersection(*found):
            return chosen
        empty = next((c for c, nodes in zip(self.conditions, found, strict=True) if not nodes), None)
        hint = empty.hint(view) if empty else " Each of its conditions is met by some nodes, but no node meets all."
        raise RecipeError(f"{self.origin and f'{self.origin}: '}The selector '{self}' matches no node.{hint}")

    def specificity(self, view: GraphView) -> Specificity:
        """What is compared where several selectors mean one node: the larger wins."""
        return max(condition.specificity(view) for condition in self.conditions), len(self.conditions)


def _condition(text: str) -> tuple[str, str]:
    """The key and value that one part of a selector's text means."""
    key, colon, value = text.partition(":")
    if colon and key in _KEYS:
        return key, value
    return ("pattern", text) if ARROW in text else ("name", text)


def _names(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    return (value,) if value in view.by_name else fnmatch.filter(view.by_name, value)


def _regex(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    return (name for name in view.by_name if re.search(value, name))


def _operator(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    return (node.name for node in view.nodes if node.op == value)


def _behind(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    start = [view.by_name[value]] if value in view.by_name else view.consumers(value)
    return _closure(start, lambda node: (reader for tensor in node.outputs for reader in view.consumers(tensor)))


def _before(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    start = view.by_name.get(value) or view.producers.get(value)
    makers = view.producers
    return _closure([start] if start else [], lambda node: (makers[t] for t in node.inputs if t in makers))


def _closure(start: Iterable[Node], onwards: Callable[[Node], Iterable[Node]]) -> Iterable[str]:
    waiting = list(start)
    found = {node.name for node in waiting}
    while waiting:
        fresh = [node for node in onwards(waiting.pop()) if node.name not in found]
        found.update(node.name for node in fresh)
        waiting.extend(fresh)
    return found


def _pattern(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    """Each node of each chain; ``*`` stands for any one operator."""
    ops = [op.strip() for op in value.split("->")]
    chains: list[tuple[Node, ...]] = [(node,) for node in view.nodes if ops[0] in ("*", node.op)]
    for op in ops[1:]:
        chains = [
            (*chain, reader)
            for chain in chains
            for reader in {r.name: r for t in chain[-1].outputs if t for r in view.consumers(t)}.values()
            if op in ("*", reader.op)
        ]
    return (node.name for chain in chains for node in chain)


def _position(view: GraphView, weighted: frozenset[str], value: str) -> Iterable[str]:
    ordered = [node.name for node in view.nodes if node.name in weighted]
    which, _, count = value.partition(" ")
    if which == "last_before_output":
        return _last_before_output(view, weighted)
    return ordered[: int(count or 1)] if which == "first" else ordered[-int(count or 1) :]


def _last_before_output(view: GraphView, weighted: frozenset[str]) -> Iterable[str]:
    open_ = set(view.outputs)
    for node in reversed(view.nodes):
        if open_.isdisjoint(node.outputs):
            continue
        if node.name in weighted:
            yield node.name
        else:
            open_.update(node.inputs)


def _few_channels(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    counts = ((node.name, channels(view, node)) for node in view.nodes)
    return (name for name, found in counts if found and min(found) < int(value[1:]))


def _trait(view: GraphView, _: frozenset[str], value: str) -> Iterable[str]:
    test = is_depthwise if value == "depthwise" else is_grouped
    return (node.name for node in view.nodes if test(view, node))


@dataclass(frozen=True)
class _Key:
    """What a key asks for.

    Attributes:
        find: (graph, names of weighted nodes, value) -> names.
        specificity: of a condition with it.
        known: what a value may be, for near misses.
        form: what a value must look like.
        example: what is said to those who write something else.
    """

    find: Callable[[GraphView, frozenset[str], str], Iterable[str]]
    specificity: int
    known: Callable[[GraphView], Iterable[str]] = lambda _: ()
    form: str = r".*"
    example: str = ""

    def problem(self, value: str) -> str | None:
        """What is wrong with a value."""
        if not re.fullmatch(self.form, value, re.DOTALL):
            return f"is none: write {self.example}."
        if self.find is _regex:
            try:
                re.compile(value)
            except re.error as cause:
                return f"is no valid regular expression: {cause}."
        return None


def _all_names(view: GraphView) -> Iterable[str]:
    return view.by_name


def _all_operators(view: GraphView) -> Iterable[str]:
    return {node.op for node in view.nodes}


def _nodes_and_tensors(view: GraphView) -> Iterable[str]:
    return {*view.by_name, *view.producers, *view.inputs}


_KEYS: Mapping[str, _Key] = {
    "name": _Key(_names, PLACE, _all_names),
    "re": _Key(_regex, PLACE, _all_names),
    "op": _Key(_operator, KIND, _all_operators),
    "from": _Key(_behind, PLACE, _nodes_and_tensors),
    "to": _Key(_before, PLACE, _nodes_and_tensors),
    "pattern": _Key(_pattern, PLACE, form=r"\s*\S+\s*(->\s*\S+\s*)+", example="'Conv -> Sigmoid -> Mul'"),
    "position": _Key(
        _position,
        PLACE,
        form=r"(first|last)( [1-9]\d*)?|last_before_output",
        example="'position:first', 'position:last 3' or 'position:last_before_output'",
    ),
    "channels": _Key(_few_channels, KIND, form=r"<[1-9]\d*", example="'channels:<16'"),
    "is": _Key(_trait, KIND, form="grouped|depthwise", example="'is:grouped' or 'is:depthwise'"),
}

KEYS = tuple(_KEYS)
"""The keys of conditions."""
