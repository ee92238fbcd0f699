"""Statistics of a model: measured on samples, going on where an interrupted run stopped, or read from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from onnxq import onnx_io
from onnxq.catalog.floats.fp32 import FP32
from onnxq.core.batch import Run, Source, Tensors
from onnxq.core.execution import Execution
from onnxq.core.journal import Journal
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.core.tap import Tap, channel_axis
from onnxq.core.work import Sizes
from onnxq.errors import DataError
from onnxq.pipeline.sources import BATCH_SIZE, first
from onnxq.pipeline.subject import Subject
from onnxq.runtimes import machine, onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.calibrate import Begun, Limits, calibrate
from onnxq.stages.lower import to_measure

SHARE, MOST = 8, 1 << 28
"""Fetched tensors may take the 8th part of the machine's memory, at most 256 MiB: more makes nothing faster."""


def limits(execution: Execution) -> Limits:
    """What fetched tensors may take, and the cores there are."""
    return Limits(execution.max_memory or min(machine.memory() // SHARE, MOST), machine.cores())


Wanted = Mapping[str, bool]
"""The tensors to measure, and of which of them a histogram is needed beside the extremes."""


def wanted(subject: Subject, binned: Sequence[str]) -> Wanted:
    """What must be measured, in graph order, if calibrators are to look at `binned`."""
    extremes = to_measure(subject.view, frozenset(binned)) if subject.low != FP32 else ()
    found = dict.fromkeys(extremes, False) | dict.fromkeys(binned, True)
    computed = (tensor for node in subject.view.nodes for tensor in node.outputs)
    return {tensor: found[tensor] for tensor in (*subject.view.inputs, *computed) if tensor in found}


def taps(subject: Subject, tensors: Wanted, feeds: Tensors) -> tuple[Tap, ...]:
    """What is measured of each of `tensors`, with what it takes for a batch like `feeds`."""
    sizes = onnx_io.tensor_sizes(subject.prepared.model, feeds)
    known = [sizes[name] for name in tensors if name in sizes]
    guess = max(known, default=max((array.nbytes for array in feeds.values()), default=0))
    fed = dict.fromkeys(feeds, 0)  # inputs are at hand, and need not be fetched
    return tuple(
        Tap(name, channel_axis(subject.view, name) if binned else None, fed.get(name, sizes.get(name, guess)), binned)
        for name, binned in tensors.items()
    )


def shapes(subject: Subject, feeds: Tensors, execution: Execution) -> Sizes:
    """The shape of each tensor for `feeds`: inferred, or seen in a run where that is not possible."""
    known = onnx_io.tensor_shapes(subject.prepared.model, feeds)
    view = subject.view
    unknown = [t for node in view.nodes for t in node.outputs if t not in known and view.dtypes.get(t) == "float32"]
    if not unknown:
        return known
    seen = onnxruntime.Session(subject.prepared.model, unknown, Setup.of(execution))(feeds)
    return {**known, **{name: value.shape for name, value in seen.items()}}


def fitting_batch_size(subject: Subject, tensors: Wanted, feeds: Tensors, execution: Execution) -> int:
    """How many samples a batch holds so that one for each core fits into memory.

    Args:
        subject: the model.
        tensors: those that are fetched.
        feeds: one sample.
        execution: says so itself, or how much memory there is.
    """
    if execution.batch_size is not None:
        return execution.batch_size
    have = limits(execution)
    each = sum(tap.bytes for tap in taps(subject, tensors, feeds))
    return max(1, min(BATCH_SIZE, have.memory // max(1, each * have.cores)))


def measure(
    subject: Subject, source: Source, tensors: Wanted, execution: Execution, journal: Journal[Begun]
) -> Mapping[str, TensorStatistics]:
    """The statistics of `tensors` over all samples of `source`.

    Raises:
        DataError: there are no samples, or the model computes NaN or Inf from them.
    """
    setup = replace(Setup.of(execution), reuses_memory=True)

    def load(names: Sequence[str], threads: int) -> Run:
        return onnxruntime.Session(subject.prepared.model, names, replace(setup, threads=threads))

    found = taps(subject, tensors, first(source.batches()).feeds)
    return calibrate(load, source, found, limits(execution), journal, execution.observer)


def covering(statistics: Statistics, subject: Subject, tensors: Wanted) -> Statistics:
    """The same statistics, once they are known to be of this model and of all `tensors`.

    Raises:
        DataError: they are not.
    """
    if statistics.model != subject.fingerprint:
        raise DataError(
            f"The statistics belong to another model: {statistics.model}, this one is {subject.fingerprint}. Make them "
            "anew with `onnxq calibrate`, as for a model that was trained further."
        )
    found = statistics.tensors
    binned = [name for name, binned in tensors.items() if binned and not (name in found and found[name].is_binned)]
    if binned:
        raise DataError(
            f"The plan quantizes '{binned[0]}'{_and_more(binned)}, which the statistics lack. Make them anew with the "
            "same --recipe, --skip, --include, --plan and --target."
        )
    if missing := [name for name in tensors if name not in found]:
        low = subject.low.name
        raise DataError(
            f"The statistics lack the range of '{missing[0]}'{_and_more(missing)}, without which {low.upper()} is not "
            f"safe. Make them anew with `onnxq calibrate --rest {low}`, or keep the rest in FP32: --rest fp32."
        )
    return statistics


def _and_more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more tensors" if names[1:] else ""
