"""Measures many ways to quantize one model, and computes once what they share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any, TypeVar

import onnx

from onnxq import onnx_io
from onnxq.core.batch import Batch, Source, Tensors
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.journal import Journal
from onnxq.core.report import Fidelity
from onnxq.core.variant import Variant
from onnxq.pipeline.measurement import limits
from onnxq.pipeline.sources import BATCH_SIZE
from onnxq.pipeline.subject import Subject
from onnxq.runtimes import machine
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity.segments import Segments
from onnxq.sensitivity.sessions import Sessions
from onnxq.sensitivity.sheet import Scoring, Sheet
from onnxq.sensitivity.trie import Branch, grow
from onnxq.sensitivity.versions import Versions

SHARE = 4
"""Loaded pieces of a model may hold the 4th part of the machine's memory."""

AT_ONCE = 10**12
"""Multiply-accumulates of all variants for one batch, at most: more, and the first figures come late."""

Made = TypeVar("Made")


class Bench:
    """Measures variants against FP32, and keeps loaded pieces of the model from one measurement to the next."""

    def __init__(
        self, given: onnx.ModelProto, subject: Subject, groups: Sequence[Group], feeds: Tensors, execution: Execution
    ) -> None:
        """Cuts the model.

        Args:
            given: the FP32 model as it came: the reference.
            subject: the same, prepared: what variants are made of.
            groups: what variants differ in.
            feeds: one sample.
            execution: how models are run, and who watches.
        """
        self._execution = execution
        self._jobs = execution.jobs or machine.cores()
        sizes = onnx_io.tensor_sizes(subject.prepared.model, feeds)
        self._segments = Segments.of(subject.prepared.model, subject.view, groups, sizes)
        self._state_bytes = max(sum(sizes.get(t, 0) for t in tensors) for tensors in self._segments.crossing)
        self._macs = sum(group.macs for group in groups)
        setup = Setup.of(execution)
        self._versions = Versions(self._segments)
        self._sessions = Sessions(self._segments, self._versions, setup, machine.memory() // SHARE)
        self._original = Session(given, setup=replace(setup, threads=setup.threads or 1, shares_memory=True))

    def measure(
        self,
        variants: Sequence[Variant],
        source: Source,
        scoring: Scoring,
        told: Callable[[Sheet], None] | None = None,
        journal: Journal[Mapping[str, Any]] | None = None,
    ) -> tuple[Fidelity, ...]:
        """How close each of the variants is to FP32, in their order.

        Args:
            variants: at least one.
            source: what to feed; batches are made smaller where memory asks for it, and nobody chose their size.
            scoring: what to compute.
            told: is given the sums so far, after each batch.
            journal: sums of the first samples that an interrupted run has counted, and who keeps those of this one.

        Raises:
            DataError: there are no samples.
            RuntimeFailure: ONNX Runtime refuses a variant, or stops.
        """
        tree = grow([self._versions.row(variant) for variant in variants])
        sheet = Sheet(len(variants), scoring)
        journal = journal or Journal()
        if journal.begun is not None:
            sheet.restore(journal.begun)
        batches = self._fitting(source, len(variants)).batches(sheet.samples)
        for counted in _in_order(partial(self._count, tree, scoring), batches, self._jobs):
            sheet.merge(counted)
            self._execution.observer.advance(sheet.samples, len(source))
            if told is not None:
                told(sheet)
            if journal.is_due:
                journal.write(sheet.to_json())
        return sheet.fidelities()

    def _count(self, tree: Branch, scoring: Scoring, batch: Batch, stopped: Event) -> Sheet:
        """What one batch adds to the sums of each variant; less if it is stopped."""
        before = self._original(batch.feeds)
        sheet = Sheet(len(tree.variants), scoring)
        sheet.count_reference(batch, before)
        for variants, after in self._results(tree, batch.feeds):
            sheet.count(variants, batch, before, after)
            if stopped.is_set():
                break
        return sheet

    def _results(self, tree: Branch, feeds: Tensors) -> Iterator[tuple[tuple[int, ...], Tensors]]:
        """The outputs of each variant. What branches share is kept until the last of them, the longest, has begun."""
        constants = self._segments.view.constants
        waiting = [(tree, feeds)]
        while waiting:
            branch, state = waiting.pop()
            state = self._sessions.advance(branch.start, branch.versions, state)
            if branch.branches:
                waiting += [(further, state) for further in reversed(branch.branches)]
            else:
                outputs = self._segments.view.outputs
                yield branch.variants, {name: state[name] if name in state else constants[name] for name in outputs}

    def _fitting(self, source: Source, variants: int) -> Source:
        """The source in batches so small that what is kept at a time fits into memory, and that figures come soon."""
        if self._execution.batch_size is not None:
            return source
        kept = self._state_bytes * (variants.bit_length() + 1) * self._jobs
        room, soon = limits(self._execution).memory // max(1, kept), AT_ONCE // max(1, self._macs * variants)
        return source.rebatched(max(1, min(BATCH_SIZE, room, soon)))


def _in_order(work: Callable[[Batch, Event], Made], batches: Iterable[Batch], workers: int) -> Iterator[Made]:
    """What `work` makes of each batch, in their order, while `workers` batches are worked on at a time.

    Work that is not wanted any more is told by its event.
    """
    pending: deque[Future[Made]] = deque()
    pool, stopped = ThreadPoolExecutor(workers, "onnxq"), Event()
    try:
        for batch in batches:
            pending.append(pool.submit(work, batch, stopped))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
