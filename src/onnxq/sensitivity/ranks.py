"""Ranks the groups of a model by what quantizing them costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxq.core.batch import Source
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.journal import Journal
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.observer import Clock, Observer
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.core.samples import Data, Samples
from onnxq.core.statistics import Statistics
from onnxq.core.variant import Variant
from onnxq.core.work import macs_of
from onnxq.errors import DataError, RecipeError
from onnxq.pipeline import Model, Scaled, scaled
from onnxq.pipeline.checkpoint import Record
from onnxq.pipeline.fixing import preserved
from onnxq.pipeline.measurement import shapes
from onnxq.pipeline.order import Order
from onnxq.pipeline.sources import first
from onnxq.sensitivity.bench import Bench
from onnxq.sensitivity.inquiry import Inquiry, scoring
from onnxq.sensitivity.sheet import Sheet
from onnxq.stages.plan.groups import blocks, kernels

NAMED, EARLIEST = 3, 8
"""Groups that an early ranking names, and the samples that it needs at least."""


def rank(
    model: Model,
    calib: Data | Samples | Statistics | None = None,
    recipe: Recipe = Recipe(),
    inquiry: Inquiry = Inquiry(),
    *,
    evaluation: Data | Samples | None = None,
    execution: Execution = Execution(),
) -> Ranking:
    """Which groups of nodes suffer most from being quantized. No file is written but the inquiry's checkpoint.

    All scales come from one calibration, that of the full quantization. What is not quantized is FP32. Fixes that keep
    what the model computes are applied first; the others are not.

    Args:
        model: FP32, as a ModelProto or a path. Not modified.
        calib: as for `quantize`.
        recipe: how the full quantization is made; what it skips is no group.
        inquiry: what is varied, and what is computed.
        evaluation: inputs that are not among `calib`, to measure on. Labels may be among the arrays. The calibration
            samples take their place if there are none.
        execution: how the models are run.

    Raises:
        InputError: the model, the data, the recipe or the inquiry are not usable; the message says what to change.
        StageError: onnxq or a runtime failed.
    """
    if not recipe.int8:
        raise RecipeError("Without INT8 there is nothing to rank.")
    metrics = inquiry.chosen()
    clock = Clock(execution.observer)
    order = Order(calib, replace(recipe, rest="fp32"), execution, inquiry.plan, evaluation)
    found = preserved(scaled(model, order, clock), order, clock)
    source = found.ready.sources.evaluation or found.ready.sources.calibration
    if source is None:
        raise DataError("There are no samples to measure on. Give some with --eval, or with --calib.")
    with clock.stage("measure"):
        return _Work(found, inquiry, metrics, source, execution).ranking()


@dataclass(frozen=True)
class _Work:
    """A ranking in the making."""

    found: Scaled
    inquiry: Inquiry
    metrics: tuple[Metric | OwnMetric, ...]
    source: Source
    execution: Execution

    def ranking(self) -> Ranking:
        ready, subject = self.found.ready, self.found.reference
        sample = next(first(self.source.batches()).split())
        sizes = shapes(subject, sample, self.execution)
        groups = kernels(ready.plan, subject.view, subject.target, sizes)
        bench = Bench(ready.given, subject, groups, sample, self.execution)
        if self.inquiry.groups == "blocks":
            groups = blocks(groups, subject.view)
        macs = sum(macs_of(subject.view, node, sizes) for node in subject.view.nodes)
        variants = tuple(self._variants(groups))

        early = _Early(self.execution.observer, len(self.source), lambda found: self._ranked(groups, found, macs))
        journal = self._journal(variants)
        figures = bench.measure(variants, self.source, scoring(self.metrics), early, journal)
        return self._ranked(groups, figures, macs)

    def _variants(self, groups: Sequence[Group]) -> Iterator[Variant]:
        """The full quantization, then for each mode one variant per group."""
        plan, scales = self.found.ready.plan, self.found.scales
        quantized = {decision.site.node for decision in plan.quantized}
        yield Variant("full", plan, scales)
        for mode in self.inquiry.modes:
            for group in groups:
                floats = quantized.difference(group.nodes) if mode == "alone" else group.nodes
                yield Variant(f"{mode}: {group.name}", plan.without(floats), scales)

    def _ranked(self, groups: Sequence[Group], figures: Sequence[Fidelity], macs: int) -> Ranking:
        full, rest = figures[0], figures[1:]
        of_mode = {
            mode: rest[start : start + len(groups)]
            for start, mode in zip(range(0, len(rest), len(groups)), self.inquiry.modes, strict=True)
        }
        ranks = [
            Rank(group, **{mode: found[number] for mode, found in of_mode.items()})
            for number, group in enumerate(groups)
        ]
        data = "calibration" if self.found.ready.sources.evaluation is None else "evaluation"
        return Ranking(self._with_figures(full), full.samples, data, macs, full, tuple(ranks)).sorted()

    def _with_figures(self, full: Fidelity) -> tuple[Metric | OwnMetric, ...]:
        """The metrics that have figures.

        Raises:
            DataError: one that was asked for has none.
        """
        has = {name for row in full.figures.values() for name in row}
        for metric in self.metrics:
            if metric.name in has or not (metric.name in self.inquiry.metrics or metric == self.metrics[0]):
                continue
            if full.uncompared and not any(full.figures.values()):
                name, reason = next(iter(full.uncompared.items()))
                raise DataError(f"No output can be compared with FP32: of '{name}', {reason}.")
            raise DataError(
                f"The metric '{metric.name}' needs labels, and an output with a score per sample for each class. Give "
                "evaluation data with class numbers, or choose another metric, such as sqnr."
            )
        return tuple(metric for metric in self.metrics if metric.name in has)

    def _journal(self, variants: Sequence[Variant]) -> Journal[Mapping[str, Any]]:
        checkpoint, model = self.inquiry.checkpoint, self.found.reference.fingerprint
        if checkpoint is None:
            return Journal()
        return checkpoint.journal(RECORD, model, first(self.source.batches()), _settings(variants, self.metrics))


class _Early:
    """Tells an observer of the first ranking, and, for those who want to know all, of further ones."""

    def __init__(self, observer: Observer, total: int, ranked: Callable[[Sequence[Fidelity]], Ranking]) -> None:
        self._observer, self._total, self._ranked = observer, total, ranked
        self._next = EARLIEST
        self._tell = observer.note

    def __call__(self, sheet: Sheet) -> None:
        if sheet.samples < self._next or sheet.samples == self._total:
            return
        found = self._ranked(sheet.fidelities())
        worst = zip(found.ranks[:NAMED], found.shares, strict=False)
        named = ", ".join(f"'{row.group.name}' ({share:.0f} %)" for row, share in worst)
        self._tell(f"After {found.samples} samples, most of the damage is in {named}.")
        self._next, self._tell = 2 * sheet.samples, self._observer.detail


def _settings(variants: Sequence[Variant], metrics: Sequence[Metric | OwnMetric]) -> str:
    """What tells these variants and metrics from others."""
    digest = hashlib.sha256()
    for metric in metrics:
        digest.update(f"{metric.name} {metric.code if isinstance(metric, OwnMetric) else ''}".encode())
    for variant in variants:
        digest.update(variant.name.encode())
        for site, params in variant.params.items():
            digest.update(f"{site} {params.spec} {params.zero_point}".encode() + params.scale.tobytes())
    return digest.hexdigest()[:32]


def _bytes_of(origin: str, sums: Mapping[str, Any]) -> bytes:
    return json.dumps({"onnxq_sensitivity": 1, "origin": origin, **sums}).encode()


def _read(path: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        data = json.loads(path.read_bytes())
        return data["origin"], data
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise DataError(f"'{path}' cannot be resumed: it cannot be read. Leave out --resume to start again.") from cause


RECORD = Record(_bytes_of, _read)
"""Sums of an unfinished measurement, as JSON."""
