"""Sums by output and metric."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import numpy as np

from onnxq.core.metric import Metric, OwnMetric, Sums


class SumsTable:
    """What metrics have summed up so far."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, tuple[Metric | OwnMetric, Sums]]] = {}

    def add(self, output: str, metric: Metric | OwnMetric, sums: Sums) -> None:
        """Adds the sums of one batch."""
        row = self._rows.setdefault(output, {})
        row[metric.name] = metric, metric.merge(sums, row[metric.name][1]) if metric.name in row else sums

    def merge(self, later: SumsTable) -> None:
        """Adds all that another table has of later batches."""
        for output, row in later._rows.items():
            for metric, sums in row.values():
                self.add(output, metric, sums)

    def to_json(self) -> dict[str, dict[str, list[float]]]:
        """The sums as plain data, to the bit."""
        return {output: {name: sums.tolist() for name, (_, sums) in row.items()} for output, row in self._rows.items()}

    def restore(self, data: Mapping[str, Mapping[str, list[float]]], metrics: Iterable[Metric | OwnMetric]) -> None:
        """Takes what `to_json` gave in place of what there is."""
        known = {metric.name: metric for metric in metrics}
        self._rows = {
            output: {name: (known[name], np.array(sums, np.float64)) for name, sums in row.items()}
            for output, row in data.items()
        }

    def figures(self, without: Container[str]) -> dict[str, dict[str, float]]:
        """Metric name -> figure, by output, but for the outputs `without`."""
        return {
            output: {name: metric.figure(sums) for name, (metric, sums) in row.items()}
            for output, row in self._rows.items()
            if output not in without
        }
