"""Decides where Q/DQ pairs go: interprets a target's table over a graph, and names no target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

from onnxq.core.graph import GraphView, Site
from onnxq.core.plan import Plan
from onnxq.core.recipe import Selector
from onnxq.core.spec import PerAxis, PerBlock, Spec
from onnxq.core.target import Target
from onnxq.errors import ModelError, PlanError
from onnxq.stages.plan.place import place
from onnxq.stages.plan.ties import tie


def plan(view: GraphView, target: Target, skip: Iterable[Selector] = ()) -> Plan:
    """Every decision about `view`, each with its sentence.

    Args:
        view: a prepared graph.
        target: the table to interpret.
        skip: nodes that stay in float.

    Raises:
        RecipeError: a selector matches no node.
        ModelError: nothing can be quantized, or the model is quantized already.
    """
    refuse_quantized(view)
    skipped = frozenset().union(*(selector.select(view.nodes) for selector in skip))
    placed = place(view, target, skipped)
    check_not_empty(placed)
    return tie(placed, view, target)


def check_plan(made: Plan, view: GraphView, formats: Container[str]) -> None:
    """Checks a plan that somebody else made.

    Raises:
        PlanError: it names an unknown format, or cuts a weight along an axis that it does not have, or into blocks.
        ModelError: it quantizes nothing, or the model is quantized already.
    """
    refuse_quantized(view)
    check_not_empty(made)
    for decision in made.quantized:
        if decision.spec and decision.spec.format not in formats:
            raise PlanError(f"The plan stores {decision.site} as '{decision.spec.format}', which is no known format.")
    for site, spec in made.weights:
        check_cut(site, spec, view.constants[site.tensor].shape)


def check_cut(site: Site, spec: Spec, shape: tuple[int, ...]) -> None:
    """Checks that a weight of `shape` can be cut as `spec` says.

    Raises:
        PlanError: it cannot.
    """
    match spec.granularity:
        case PerAxis(axis) if not -len(shape) <= axis < len(shape):
            raise PlanError(f"The plan cuts {site} along axis {axis}, but the weight has shape {shape}.")
        case PerBlock():
            raise PlanError(f"The plan cuts {site} into blocks, which '{spec.format}' does not support.")


def refuse_quantized(view: GraphView) -> None:
    """Refuses a model that holds quantized operators.

    Raises:
        ModelError: it does; the message names one.
    """
    quantized = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}
    quantized |= {"ConvInteger", "MatMulInteger"}
    if found := [node for node in view.nodes if node.op in quantized or node.op.startswith("QLinear")]:
        raise ModelError(
            f"The model is quantized already: it has {len(found)} operators such as {found[0]}. "
            "Start from the FP32 model that it was made of."
        )


def check_not_empty(made: Plan) -> None:
    """Refuses a plan that quantizes nothing: a file that only looks quantized helps nobody.

    Raises:
        ModelError: it does; the message lists the commonest reasons.
    """
    if made.quantized:
        return
    counts = Counter(f"{decision.op}: {decision.kind}" for decision in made.first_refusals.values())
    listed = "".join(f"\n  {count} x {text}" for text, count in counts.most_common(5))
    raise ModelError(
        "Nothing in this model can be quantized, so there is nothing to write. Commonest reasons:"
        f"{listed or ' it has no nodes with float inputs.'}"
    )
