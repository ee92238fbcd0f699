"""What was summed up of each variant so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxq.core.batch import Batch, Tensors
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.report import Fidelity
from onnxq.stages.verify import FidelitySums


@dataclass(frozen=True)
class Scoring:
    """What is computed of the outputs.

    Attributes:
        metrics: of each output by itself.
        own: of all outputs together.
    """

    metrics: tuple[Metric, ...]
    own: tuple[OwnMetric, ...] = ()


class Sheet:
    """The sums of some batches, by variant."""

    def __init__(self, variants: int, scoring: Scoring) -> None:
        """Nothing is counted yet.

        Args:
            variants: how many there are.
            scoring: what to compute.
        """
        self._reference = FidelitySums(scoring.metrics, scoring.own)
        self._rows = [FidelitySums(scoring.metrics, scoring.own, baselines=False) for _ in range(variants)]

    @property
    def samples(self) -> int:
        """How many samples were counted."""
        return self._reference.samples

    def count_reference(self, batch: Batch, before: Tensors) -> None:
        """Counts what FP32 makes of a batch."""
        self._reference.add(batch, before, before)

    def count(self, variants: Iterable[int], batch: Batch, before: Tensors, after: Tensors) -> None:
        """Counts what the variants of these numbers, which are all alike, make of a batch."""
        first, *others = variants
        self._rows[first].add(batch, before, after)
        for other in others:
            self._rows[other] = self._rows[first]

    def merge(self, later: Sheet) -> None:
        """Counts what was counted of later batches."""
        self._reference.merge(later._reference)
        for row, other in zip(self._rows, later._rows, strict=True):
            row.merge(other)

    def to_json(self) -> dict[str, Any]:
        """What was counted, as plain data."""
        return {"reference": self._reference.to_json(), "rows": [row.to_json() for row in self._rows]}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Goes on from what `to_json` gave, for as many variants and the same scoring."""
        self._reference.restore(data["reference"])
        for row, counted in zip(self._rows, data["rows"], strict=True):
            row.restore(counted)

    def fidelities(self) -> tuple[Fidelity, ...]:
        """The figures of each variant so far.

        Raises:
            DataError: there were no samples.
        """
        baselines = self._reference.fidelity().baselines
        return tuple(replace(row.fidelity(), baselines=baselines) for row in self._rows)
