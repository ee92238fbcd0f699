"""Collects what a report shows: from a quantization, or from a plan alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from onnxq import onnx_io, recipes
from onnxq.catalog.calibrators import CALIBRATORS, calibrator_of
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.calibrator import spelled
from onnxq.core.channel_ranges import ChannelRanges
from onnxq.core.dossier import Dossier
from onnxq.core.execution import Execution
from onnxq.core.format import Range
from onnxq.core.group import Group
from onnxq.core.histogram import Histogram
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Samples
from onnxq.core.work import Sizes, macs_of
from onnxq.errors import ModelError, RecipeError
from onnxq.pipeline import Result
from onnxq.pipeline.comparison import Models, compare
from onnxq.pipeline.recipe_file import resolved
from onnxq.pipeline.subject import Model, Subject, load, plan_of, read
from onnxq.stages.plan.groups import kernels

COMPARED = 64
"""Samples on which the error of every tensor is measured, unless they are given as they are."""


def planned_dossier(model: Model, recipe: Recipe, plan: Plan | str | None = None) -> Dossier:
    """What there is to show of a model that is only planned.

    Raises:
        InputError: the model, the recipe or the plan are not usable; the message says what to change.
    """
    subject = read(load(model), recipe)
    return _dossier(model, subject, plan_of(subject, recipe, plan), resolved(recipe, subject))


def dossier_of(
    model: Model, result: Result, data: Samples | None = None, execution: Execution = Execution()
) -> Dossier:
    """What there is to show of a quantization.

    Args:
        model: the FP32 model it was made from.
        result: the quantization.
        data: inputs to measure the error of each tensor on, at most `COMPARED` of them; it is left out without.
        execution: how models are run.

    Raises:
        StageError: a runtime failed.
    """
    subject = read(load(model), result.recipe).edited(result.reference, {})
    found = replace(
        _dossier(model, subject, result.written, result.recipe),
        histograms=tuple(_histograms(result)),
        report=result.report,
    )
    if data is None or result.report.fidelity is None:
        return found
    few = replace(data, first=min(COMPARED, data.first or COMPARED))
    try:
        compared = compare(Models(result.reference, result.model), few, layers=True, execution=execution)
    except ModelError:  # no tensor has a name in both models
        return found
    return replace(found, layers=compared.layers, layer_samples=compared.samples)


def _dossier(model: Model, subject: Subject, plan: Plan, recipe: Recipe) -> Dossier:
    sizes = _sizes(subject)
    groups = kernels(plan, subject.view, subject.target, sizes)
    return Dossier(
        model=Path(model).name if isinstance(model, str | Path) else model.graph.name,
        view=subject.view,
        plan=plan,
        inside=_inside(groups, frozenset(d.site.node for d in plan.quantized if d.computes_integers)),
        macs={node.name: macs_of(subject.view, node, sizes) for node in subject.view.nodes},
        recipe=_recipe_text(recipe),
        weights=tuple(ChannelRanges.of(site, spec, subject.view.constants[site.tensor]) for site, spec in plan.weights),
    )


def _inside(groups: tuple[Group, ...], readers: frozenset[str]) -> Mapping[str, str]:
    """Nodes that a kernel computes which reads integers -> the node of it that reads them."""
    heads = {group: next((s.node for s in group.sites if s.node in readers), "") for group in groups}
    return {name: head for group, head in heads.items() if head for name in group.nodes if name not in readers}


def _sizes(subject: Subject) -> Sizes:
    """Shapes for one sample; empty if an axis other than the first is free."""
    inputs = onnx_io.inputs(subject.prepared.model)
    if any(spec.shape is None or None in spec.shape[1:] for spec in inputs):
        return {}
    feeds = {s.name: np.zeros([1 if d is None else d for d in s.shape or ()], s.dtype or "float32") for s in inputs}
    return onnx_io.tensor_shapes(subject.prepared.model, feeds)


def _recipe_text(recipe: Recipe) -> str:
    cache = (recipe.cache.path or "a calibration cache in memory") if recipe.cache else None
    try:
        return recipes.recipe_text(recipe, cache)
    except RecipeError as cause:
        return f"# This recipe cannot be written down: {cause}"


def _histograms(result: Result) -> Iterator[Histogram]:
    """Each quantized activation whose numbers were counted."""
    specs = {d.site.tensor: d.spec for d in result.written.quantized if d.spec and d.spec.role == "activation"}
    names = [one.name for one in CALIBRATORS if one.name != Auto.name]
    ways = {name: calibrator_of(spelled(name, result.recipe.percentile)) for name in names}
    for tensor, spec in specs.items():
        measured, stored = result.statistics.tensors.get(tensor), FORMATS_BY_NAME[spec.format]
        if measured is None or not measured.is_binned:
            continue
        params = result.scales.activations[tensor]
        ends = ((code - params.zero_point) * float(params.scale) for code in (stored.low, stored.high))
        kept = {name: way.choose(measured, stored) for name, way in ways.items()}
        yield Histogram.of(tensor, measured, kept, Range(*ends), params.source)
