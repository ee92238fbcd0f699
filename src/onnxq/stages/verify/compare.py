"""Compares two models that should compute the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from onnxq.core.batch import Array, Batch, Run, Tensors, is_real
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.report import ALL_OUTPUTS, Fidelity
from onnxq.errors import DataError, PrepareError
from onnxq.stages.verify.sums import SumsTable

TOLERANCE = 1e-4
"""The largest difference that preparation or a fix may make, relative to the largest value of the output.

An output of a coarser type than float32 may differ by ROUNDINGS of its smallest steps instead: runtimes differ so much
among themselves.
"""

ROUNDINGS = 4


def equivalence(before: Tensors, after: Tensors, culprit: str = "Preparing the model") -> float:
    """The largest relative difference between the outputs of two models that should be equal.

    Args:
        before: outputs of the original.
        after: outputs of the changed model, for the same feeds.
        culprit: what changed it.

    Returns:
        max |a - b| / max |a|, over all outputs.

    Raises:
        PrepareError: it is above the tolerance, or an output that is no real number differs at all.
    """
    worst = 0.0
    for name, reference in before.items():
        difference = _difference(reference, after[name])
        if not difference <= (allowed := _tolerance(reference)):
            raise PrepareError(
                f"{culprit} changed the output '{name}' by {difference:.1e} of its largest value; at most "
                f"{allowed:.0e} is allowed. This is a bug in onnxq, unless the model draws random numbers."
            )
        worst = max(worst, difference)
    return worst


def _tolerance(reference: object) -> float:
    if isinstance(reference, np.ndarray) and is_real(reference):
        return max(TOLERANCE, ROUNDINGS * float(np.finfo(reference.dtype).eps))
    return TOLERANCE


def _difference(reference: object, candidate: object) -> float:
    if not (isinstance(reference, np.ndarray) and isinstance(candidate, np.ndarray)):
        return 0.0 if type(reference) is type(candidate) else np.inf  # sequences and maps hold what arrays held before
    if reference.shape != candidate.shape or reference.dtype != candidate.dtype:
        return np.inf
    if not is_real(reference):
        return 0.0 if np.array_equal(reference, candidate) else np.inf
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    largest = np.abs(a[finite]).max(initial=0.0)
    apart = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(apart / largest) if largest else float(apart)


def fidelity(
    original: Run,
    quantized: Run,
    batches: Iterable[Batch],
    metrics: Iterable[Metric],
    own: Iterable[OwnMetric] = (),
) -> Fidelity:
    """How close `quantized` is to `original`, batch by batch.

    Args:
        original: feeds -> outputs of the FP32 model.
        quantized: feeds -> outputs of the quantized one.
        batches: what to feed.
        metrics: what to compute of each output.
        own: what to compute of all outputs together.

    Raises:
        DataError: there are no batches.
    """
    seen = FidelitySums(metrics, own)
    for batch in batches:
        seen.add(batch, original(batch.feeds), quantized(batch.feeds))
    return seen.fidelity()


class FidelitySums:
    """A Fidelity in the making.

    Attributes:
        samples: how many samples were counted.
    """

    def __init__(self, metrics: Iterable[Metric], own: Iterable[OwnMetric] = (), baselines: bool = True) -> None:
        """Nothing is counted yet.

        Args:
            metrics: what to compute of each output.
            own: what to compute of all outputs together.
            baselines: whether to compute the figures of FP32 itself.
        """
        self._metrics, self._own, self._wants_baselines = tuple(metrics), tuple(own), baselines
        self._sums, self._baselines = SumsTable(), SumsTable()
        self._uncompared: dict[str, str] = {}
        self.samples = 0

    def add(self, batch: Batch, before: Tensors, after: Tensors) -> None:
        """Counts one batch: what the FP32 model made of it, and what the other one did."""
        self.samples += batch.samples
        for name, raw in before.items():
            if name not in self._uncompared and (reason := _incomparable(raw, after[name])):
                self._uncompared[name] = reason
            if name not in self._uncompared:
                self._compare(name, batch, batch.unpadded(raw), batch.unpadded(after[name]))
        for metric in self._own:
            self._sums.add(ALL_OUTPUTS, metric, metric.sums(batch, before, after))
            if self._wants_baselines:
                self._baselines.add(ALL_OUTPUTS, metric, metric.sums(batch, before, before))

    def merge(self, later: FidelitySums) -> None:
        """Counts what was counted of later batches."""
        self.samples += later.samples
        self._uncompared = {**later._uncompared, **self._uncompared}
        self._sums.merge(later._sums)
        self._baselines.merge(later._baselines)

    def to_json(self) -> dict[str, Any]:
        """What was counted, as plain data."""
        return {
            "samples": self.samples,
            "uncompared": self._uncompared,
            "sums": self._sums.to_json(),
            "baselines": self._baselines.to_json(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Goes on from what `to_json` gave, for the same metrics."""
        metrics: tuple[Metric | OwnMetric, ...] = (*self._metrics, *self._own)
        self.samples, self._uncompared = int(data["samples"]), dict(data["uncompared"])
        self._sums.restore(data["sums"], metrics)
        self._baselines.restore(data["baselines"], metrics)

    def fidelity(self) -> Fidelity:
        """The figures of all batches.

        Raises:
            DataError: there were none.
        """
        if self.samples == 0:
            raise DataError("There are no samples to compare the models on.")
        without = dict(self._uncompared)
        return Fidelity(self.samples, self._sums.figures(without), self._baselines.figures(without), without)

    def _compare(self, name: str, batch: Batch, reference: Array, candidate: Array) -> None:
        labels = batch.labels if _classifies(reference, batch) else None
        for metric in self._metrics:
            if not metric.labelled:
                self._sums.add(name, metric, metric.sums(reference, candidate, None))
            elif labels is not None:
                self._sums.add(name, metric, metric.sums(reference, candidate, labels))
                if self._wants_baselines:
                    self._baselines.add(name, metric, metric.sums(reference, reference, labels))


def _incomparable(reference: object, candidate: object) -> str | None:
    if not (isinstance(reference, np.ndarray) and isinstance(candidate, np.ndarray)):
        return "it is a sequence or a map"
    if not is_real(reference):
        return f"it holds {reference.dtype.name}"
    if not np.isfinite(reference).all():
        return "its FP32 values are not all finite"
    if reference.shape != candidate.shape:
        return f"its shape changes from {reference.shape} to {candidate.shape}"
    return None


def _classifies(output: Array, batch: Batch) -> bool:
    """Whether `output` has one score per class for each labelled sample."""
    if batch.labels is None or output.ndim < 2 or len(output) != batch.samples:
        return False
    return bool(output[0].size > max(1, int(batch.labels.max(initial=0))))
