"""Which groups of nodes suffer most from being quantized."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

from onnxq.core.group import Group
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.report import Fidelity


@dataclass(frozen=True)
class Rank:
    """A group, and what came of it.

    Attributes:
        group: the nodes.
        alone: the model with this group quantized and all else in FP32; None if that was not measured.
        without: the model with this group in float and all else quantized; None if that was not measured.
    """

    group: Group
    alone: Fidelity | None = None
    without: Fidelity | None = None


@dataclass(frozen=True)
class Ranking:
    """The groups of a model, the most sensitive first.

    Attributes:
        metrics: what was computed; groups are ranked by the first.
        samples: how many were measured on.
        data: which: "evaluation" or "calibration".
        macs: multiply-accumulates of the whole model for one sample.
        full: the model with all groups quantized.
        ranks: by what the group alone loses; where only that was measured, by what is gained without it. Equal ones by
            SQNR, then in graph order.
    """

    metrics: tuple[Metric | OwnMetric, ...]
    samples: int
    data: str
    macs: int
    full: Fidelity
    ranks: tuple[Rank, ...]

    @property
    def metric(self) -> Metric | OwnMetric:
        """What groups are ranked by."""
        return self.metrics[0]

    @property
    def modes(self) -> tuple[str, ...]:
        """What was measured of each group: "alone", "without"."""
        return tuple(mode for mode in ("alone", "without") if self.ranks and getattr(self.ranks[0], mode) is not None)

    def gain(self, without: Fidelity, metric: Metric | OwnMetric | None = None) -> float:
        """By how much the figure of the worst output is better than that of the full quantization, in its unit."""
        chosen = metric or self.metric
        before, after = self.full.worst(chosen)[1], without.worst(chosen)[1]
        if before == after:  # two infinite figures differ by nothing
            return 0.0
        return after - before if chosen.larger_is_better else before - after

    def damage(self, rank: Rank, metric: Metric | OwnMetric | None = None) -> float:
        """What a group is ranked by: what it loses alone, else what is gained without it. Larger is worse."""
        if rank.alone is not None:
            return rank.alone.loss(metric or self.metric)
        gain = self.gain(rank.without, metric) if rank.without is not None else math.nan
        return math.inf if math.isnan(gain) else gain

    def sorted(self) -> Ranking:
        """The same with the most sensitive group first."""
        ranks = sorted(self.ranks, key=lambda rank: [-self.damage(rank, metric) for metric in self.metrics])
        return Ranking(self.metrics, self.samples, self.data, self.macs, self.full, tuple(ranks))

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Of what all groups lose, how much each one does, in percent; in the order of `ranks`."""
        losses = [max(0.0, self.damage(rank)) for rank in self.ranks]
        total = math.fsum(loss for loss in losses if math.isfinite(loss))
        return tuple(100.0 * loss / total if total and math.isfinite(loss) else math.nan for loss in losses)

    def rows(self) -> Iterator[dict[str, object]]:
        """One flat row per group, for tables."""
        for place, (rank, share) in enumerate(zip(self.ranks, self.shares, strict=True), 1):
            group = rank.group
            yield {
                "rank": place,
                "group": group.name,
                "op": group.op,
                "nodes": len(group.nodes),
                "macs": group.macs,
                "macs_percent": 100.0 * group.macs / self.macs if self.macs else math.nan,
                "bytes": group.bytes,
                "damage": self.damage(rank),
                "damage_percent": share,
                **{name: value for mode in self.modes for name, value in self._figures(rank, mode)},
            }

    def _figures(self, rank: Rank, mode: str) -> Iterator[tuple[str, object]]:
        found: Fidelity = getattr(rank, mode)
        outputs = [output for output in found.figures if output]
        for metric in self.metrics:
            name = f"{mode}_{metric.name}"
            output, figure = found.worst(metric)
            yield name, figure
            if len(outputs) > 1 and output:
                yield f"{name}_worst_output", output
                yield from ((f"{name}[{other}]", found.figures[other].get(metric.name)) for other in outputs)

    def to_json(self) -> dict[str, object]:
        """The ranking as plain data."""
        return {
            "metrics": [metric.name for metric in self.metrics],
            "samples": self.samples,
            "data": self.data,
            "macs": self.macs,
            "full": asdict(self.full),
            "ranks": [
                {
                    "rank": place,
                    "damage": self.damage(rank),
                    "damage_percent": share,
                    "group": rank.group.to_json(),
                    **{mode: getattr(rank, mode).figures for mode in self.modes},
                }
                for place, (rank, share) in enumerate(zip(self.ranks, self.shares, strict=True), 1)
            ],
        }
