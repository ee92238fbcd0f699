"""Reports, Rankings and Statistics as JSON text. Figures that are no numbers in JSON (Inf, NaN) become null."""

from __future__ import annotations

import json
import math

from onnxq.core.budget import Outcome
from onnxq.core.comparison import Comparison
from onnxq.core.ranking import Ranking
from onnxq.core.report import Report
from onnxq.core.statistics import Statistics


def report_json(report: Report | Comparison | Ranking, outcome: Outcome | None = None) -> str:
    """The report, indented; with what a search for a budget came to."""
    data = report.to_json() if outcome is None else {**report.to_json(), "budget": outcome.to_json()}
    return json.dumps(_finite(data), indent=2)


def statistics_json(statistics: Statistics) -> str:
    """What was measured, without the histograms."""
    tensors = {
        name: {"samples": found.samples, "count": found.count, "low": found.low, "high": found.high}
        for name, found in statistics.tensors.items()
    }
    data = {"model": statistics.model, "samples": statistics.samples, "tensors": tensors}
    return json.dumps(_finite(data), indent=2)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
