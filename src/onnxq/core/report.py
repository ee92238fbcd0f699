"""What happened, as data: no formatting inside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from onnxq.core.attempt import NOTHING_TRIED, Fixes
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.names import without_names
from onnxq.core.plan import Plan
from onnxq.core.rest import Rest
from onnxq.core.table import Table

ALL_OUTPUTS = ""
"""Stands in place of an output's name for a figure that is of all outputs together."""


@dataclass(frozen=True)
class Fidelity:
    """How close the quantized model is to FP32.

    Attributes:
        samples: how many samples.
        figures: metric name -> figure of the quantized model, by output name.
        baselines: metric name -> figure of FP32, by output name, for metrics that need labels.
        uncompared: outputs that hold no real numbers, or change shape, with the reason.
    """

    samples: int
    figures: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, float]]
    uncompared: Mapping[str, str]

    def worst(self, metric: Metric | OwnMetric) -> tuple[str, float]:
        """The output that a metric likes least, and its figure: NaN if there is one, or if the metric has no figure."""
        figures = [(name, row[metric.name]) for name, row in self.figures.items() if metric.name in row]
        sign = 1.0 if metric.larger_is_better else -1.0
        return min(figures, key=lambda row: (not math.isnan(row[1]), sign * row[1]), default=("", math.nan))

    def loss(self, metric: Metric | OwnMetric) -> float:
        """What is lost against FP32 at the output that a metric likes least; infinite if that cannot be told."""
        output, figure = self.worst(metric)
        if math.isnan(figure):
            return math.inf
        return metric.loss(figure, self.baselines.get(output, {}).get(metric.name))


@dataclass(frozen=True)
class RestReport:
    """What became of what is not quantized.

    Attributes:
        type: the name of its floating-point type.
        casts: Cast nodes that the change of types needs.
        kept: (operator, sentence) -> nodes that stay in FP32, the commonest first.
    """

    type: str
    casts: int
    kept: Mapping[tuple[str, str], tuple[str, ...]]

    @staticmethod
    def of(rest: Rest, casts: int) -> RestReport:
        """The report on `rest`."""
        return RestReport(rest.type.name, casts, _grouped((k.op, without_names(k.reason), k.node) for k in rest.kept))

    def to_json(self) -> dict[str, object]:
        """The report as plain data."""
        return {"type": self.type, "casts": self.casts, "kept": _rows(self.kept)}


@dataclass(frozen=True, repr=False)
class Report:
    """The account of one quantization.

    Attributes:
        prepared: sentences about what was changed before quantization, with how often.
        intact: sentences about what was left alone, with how often.
        quantized: operator -> (nodes quantized, nodes in all).
        refused: (operator, sentence) -> nodes left in float, the commonest first. Names are left out of the sentences,
            so that nodes left for the same reason stand together; the plan has them.
        residuals: joins whose shortcut is quantized.
        floored: tensor -> number of scales that had no values to be computed from.
        drift: largest relative difference that preparation made to any output; None without samples to tell.
        calibration_samples: how many samples were measured.
        known: from where scales of activations were known, and how many.
        calibrator: of activations.
        calibrators: those of single tensors, with how many each has, weights included.
        tried: the mean SQNR over the outputs in dB, by calibrator, where several were compared.
        data: what fidelity was measured on: "evaluation" or "calibration".
        fidelity: against FP32; None without samples to measure it on.
        rest: the type of what is not quantized, and what stays in FP32; None if all of it does.
        plain: the same without fixes; None if there are no fixes, or if that was not measured.
        fixes: what was tried so that the model loses less.
        sizes: bytes of the FP32 and of the quantized model.
        seconds: by stage.
    """

    prepared: tuple[tuple[str, int], ...]
    intact: tuple[tuple[str, int], ...]
    quantized: Mapping[str, tuple[int, int]]
    refused: Mapping[tuple[str, str], tuple[str, ...]]
    residuals: tuple[str, ...]
    floored: Mapping[str, int]
    drift: float | None
    calibration_samples: int
    known: tuple[str, int]
    calibrator: str
    tried: Mapping[str, float]
    data: str
    fidelity: Fidelity | None
    sizes: tuple[int, int]
    seconds: Mapping[str, float]
    rest: RestReport | None = None
    calibrators: Mapping[str, int] = field(default_factory=dict)
    plain: Fidelity | None = None
    fixes: Fixes = NOTHING_TRIED

    @staticmethod
    def of(view: GraphView, plan: Plan, **rest: Any) -> Report:
        """The report on a plan; `rest` are the fields that do not follow from it."""
        readers = {decision.site.node for decision in plan.quantized if decision.computes_integers}
        quantized = {
            op: (sum(node.name in readers for node in nodes), len(nodes))
            for op, nodes in _by_op(view.nodes).items()
            if any(node.name in readers for node in nodes)
        }
        return Report(
            quantized=quantized,
            refused=refused_of(view, plan),
            residuals=plan.residuals,
            calibrators=dict(Counter(dict(_calibrated(plan)).values())),
            **rest,
        )

    def __repr__(self) -> str:
        done = ", ".join(f"{count} of {total} {op}" for op, (count, total) in self.quantized.items())
        before, after = self.sizes
        return f"Report({done or 'nothing'} in INT8; {self._closeness}; {before:,} to {after:,} bytes)"

    def _repr_html_(self) -> str:
        before, after = self.sizes
        done = tuple((op, count, total) for op, (count, total) in self.quantized.items())
        left = tuple((len(nodes), op, reason) for (op, reason), nodes in self.refused.items())
        heading = f"{self._closeness}; {before:,} to {after:,} bytes ({after / before:.0%})"
        return (
            Table(heading, ("operator", "INT8", "of"), done).html
            + Table("Not quantized", ("nodes", "operator", "why"), left).html
        )

    @property
    def _closeness(self) -> str:
        """The worst SQNR, in words."""
        if self.fidelity is None:
            return "fidelity not measured"
        figures = [row["sqnr"] for row in self.fidelity.figures.values() if "sqnr" in row]
        worst = f"SQNR {min(figures, key=lambda f: (not math.isnan(f), f)):.1f} dB" if figures else "no output compared"
        return f"{worst} on {self.fidelity.samples} {self.data} samples"

    def to_json(self) -> dict[str, object]:
        """The report as plain data."""
        data = asdict(self)
        data["refused"] = _rows(self.refused)
        data["rest"] = self.rest and self.rest.to_json()
        data["fixes"] = self.fixes.to_json()
        return data


Grouped = Mapping[tuple[str, str], tuple[str, ...]]


def refused_of(view: GraphView, plan: Plan) -> Grouped:
    """(operator, sentence) -> nodes that were considered and compute in float, the commonest first."""
    readers = {decision.site.node for decision in plan.quantized if decision.computes_integers}
    left = [node for node in view.nodes if node.name in plan.first_refusals and node.name not in readers]
    return _grouped((node.op, plan.first_refusals[node.name].kind, node.name) for node in left)


def _grouped(rows: Iterable[tuple[str, str, str]]) -> Grouped:
    """(operator, sentence) -> nodes, from rows of all three; the commonest first."""
    found: dict[tuple[str, str], list[str]] = {}
    for op, sentence, node in rows:
        found.setdefault((op, sentence), []).append(node)
    return {key: tuple(nodes) for key, nodes in sorted(found.items(), key=lambda item: -len(item[1]))}


def _calibrated(plan: Plan) -> Iterator[tuple[Site | str, str]]:
    """Activations by tensor, and weights by edge, that have a calibrator of their own."""
    for decision in plan.quantized:
        if decision.spec and decision.calibrator:
            yield decision.site if decision.spec.role == "weight" else decision.site.tensor, decision.calibrator


def _rows(grouped: Grouped) -> list[dict[str, object]]:
    return [{"op": op, "reason": reason, "nodes": nodes} for (op, reason), nodes in grouped.items()]


def _by_op(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.op, []).append(node)
    return found
