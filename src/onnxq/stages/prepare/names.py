"""Names that nothing in the model has yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import onnx_ir as ir


class Names:
    """The names of all nodes and values of a model, bodies and local functions included."""

    def __init__(self, model: ir.Model) -> None:
        self._taken = {name for name in _names(model) if name}

    def fresh(self, stem: str) -> str:
        """`stem` itself, or ``stem_1``, ``stem_2`` ... if that is taken; the answer is taken from now on."""
        candidates = itertools.chain([stem], (f"{stem}_{i}" for i in itertools.count(1)))
        name = next(name for name in candidates if name not in self._taken)
        self._taken.add(name)
        return name


def _names(model: ir.Model) -> Iterator[str | None]:
    functions = [function.graph for function in model.functions.values()]
    for graph in (*model.graphs(), *functions):
        yield from (value.name for value in (*graph.inputs, *graph.initializers.values()))
        for node in graph.all_nodes():
            yield node.name
            yield from (output.name for output in node.outputs)
