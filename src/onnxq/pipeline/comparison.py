"""Runs models side by side on the same samples, and measures how far they are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnxq import onnx_io
from onnxq.catalog.metrics import METRICS
from onnxq.catalog.metrics.agreement import AGREEMENT
from onnxq.core.batch import Batch, Source, Tensors
from onnxq.core.comparison import Comparison, layers_of
from onnxq.core.execution import Execution
from onnxq.core.observer import Clock
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.core.samples import Samples
from onnxq.core.tap import Tap
from onnxq.pipeline.measurement import limits
from onnxq.pipeline.order import Order
from onnxq.pipeline.pair import FP32, INT8, Pair
from onnxq.pipeline.product import judged
from onnxq.pipeline.sources import BATCH_SIZE, Sources, counted, first
from onnxq.pipeline.subject import Model, load
from onnxq.runtimes import polygraphy
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.polygraphy import Engine, Record
from onnxq.runtimes.setup import Setup
from onnxq.stages.calibrate.passes import explanation, passes
from onnxq.stages.verify import FidelitySums

ENGINE = "engine"

SAME_CLASS = replace(AGREEMENT, labelled=False)
"""Whether both models choose the same class can be told without labels."""

UNLABELLED = tuple(metric for metric in METRICS if not metric.labelled)


@dataclass(frozen=True)
class Models:
    """What is compared: the FP32 model, the Q/DQ model made from it, and perhaps a TensorRT engine of that one."""

    fp32: Model
    int8: Model
    engine: Path | None = None


def compare(
    models: Models,
    data: Samples,
    *,
    layers: bool = False,
    execution: Execution = Execution(),
    record: Record | None = None,
) -> Comparison:
    """How close a quantized model is to FP32, at its outputs and tensor by tensor. No file is written.

    Args:
        models: what to compare.
        data: what to feed. Labels may be among the arrays.
        layers: compare every floating-point tensor that both ONNX models have by name.
        execution: how the models are run.
        record: keeps what is fed and what comes out.

    Raises:
        InputError: a model or the data are not usable, or the models are not two forms of one.
        StageError: a runtime failed, or is missing.
    """
    clock = Clock(execution.observer)
    with clock.stage("load"):
        pair = Pair(load(models.fp32), judged(load(models.int8)), Setup.of(execution))
        pair.check()
        polygraphy.check_package()
        sources = Sources.of(pair.fp32, Order(data, Recipe(), execution))
        tensors = pair.common_tensors() if layers else ()
        source = sources.rebatched(_batch_size(pair, tensors, sources, execution)).calibration
        assert source is not None  # there are data
    with clock.stage("outputs"):
        found = _outputs(pair, models.engine, source, execution, record or Record())
    if not layers:
        return Comparison(found[INT8].samples, found)
    with clock.stage("layers"):
        inner = _inner(pair, tensors, source, execution)
    return Comparison(inner.samples, found, layers_of(pair.view, inner))


def _outputs(
    pair: Pair, engine: Path | None, source: Source, execution: Execution, record: Record
) -> Mapping[str, Fidelity]:
    """How close the outputs of each model are to those of the FP32 model."""
    runs: dict[str, Session | Engine] = {**pair.sessions(pair.outputs)}
    if engine:
        runs[ENGINE] = Engine(engine, pair.border)
    sums = {name: _OutputSums() for name in runs if name != FP32}
    for batch, found in polygraphy.run(runs, _batches(source, execution), execution.observer):
        for name, seen in sums.items():
            seen.add(batch, found[FP32], found[name])
        record.add(batch.feeds, found)
    return {name: seen.fidelity(pair.strange_outputs) for name, seen in sums.items()}


def _inner(pair: Pair, tensors: Sequence[str], source: Source, execution: Execution) -> Fidelity:
    """How close `tensors` are, as many at a time as fit into memory."""
    have = limits(execution)
    turns = passes(_taps(pair, tensors, first(source.batches()).feeds), have, {})
    if why := explanation(turns, have):
        execution.observer.note(why)
    parts = []
    for turn in turns:
        sums = FidelitySums(UNLABELLED)
        running = pair.sessions([tap.tensor for tap in turn.taps])
        for batch, found in polygraphy.run(running, _batches(source, execution), execution.observer):
            sums.add(batch, found[FP32], found[INT8])
        parts.append(sums.fidelity())
    return Fidelity(
        samples=parts[0].samples,
        figures={name: row for part in parts for name, row in part.figures.items()},
        baselines={},
        uncompared={name: why for part in parts for name, why in part.uncompared.items()},
    )


def _batches(source: Source, execution: Execution) -> Iterator[Batch]:
    return counted(source.batches(), len(source), execution.observer)


def _batch_size(pair: Pair, tensors: Sequence[str], sources: Sources, execution: Execution) -> int:
    """How many samples a batch holds so that `tensors` of both models fit into memory."""
    feeds = sources.probe(Recipe.seed)
    if execution.batch_size is not None or feeds is None:
        return execution.batch_size or BATCH_SIZE
    each = sum(tap.bytes for tap in _taps(pair, tensors, feeds))
    return max(1, min(BATCH_SIZE, limits(execution).memory // max(1, each)))


def _taps(pair: Pair, tensors: Sequence[str], feeds: Tensors) -> tuple[Tap, ...]:
    """`tensors`, with what their values in both models take."""
    sizes = onnx_io.tensor_sizes(pair.fp32, feeds)
    guess = max((sizes[name] for name in tensors if name in sizes), default=0)
    return tuple(Tap(name, bytes=2 * sizes.get(name, guess)) for name in tensors)


class _OutputSums:
    """A Fidelity of outputs in the making: with the share of equal classes, where an output is a score for each."""

    def __init__(self) -> None:
        self._all, self._scores = FidelitySums(METRICS), FidelitySums((SAME_CLASS,))

    def add(self, batch: Batch, before: Tensors, after: Tensors) -> None:
        """See FidelitySums."""
        self._all.add(batch, before, after)
        self._scores.add(batch, {name: value for name, value in before.items() if batch.has_scores(value)}, after)

    def fidelity(self, uncompared: Mapping[str, str]) -> Fidelity:
        """See FidelitySums; `uncompared` are outputs that were not even run."""
        found, same = self._all.fidelity(), self._scores.fidelity().figures
        figures = {name: {**row, **same.get(name, {})} for name, row in found.figures.items()}
        return replace(found, figures=figures, uncompared={**found.uncompared, **uncompared})
