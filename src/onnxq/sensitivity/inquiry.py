"""What is to be found out about the groups of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onnxq.catalog import pick
from onnxq.catalog.metrics import METRICS
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.plan import Plan
from onnxq.data.own_metric import is_script, own_metric
from onnxq.errors import RecipeError, near_misses
from onnxq.pipeline.checkpoint import Checkpoint
from onnxq.sensitivity.sheet import Scoring

MODES = ("alone", "without", "both")
SIZES = ("kernels", "blocks")
SHOWN = ("sqnr", "cosine", "top1")
"""Metrics that are computed if none is named; the last where there are labels."""


@dataclass(frozen=True)
class Inquiry:
    """What is varied, and what is computed.

    Attributes:
        mode: "alone" quantizes one group and leaves all else in FP32; "without" leaves one group in float and quantizes
            all else; "both" does both.
        groups: "kernels": what the engine computes at once; or "blocks" of these, such as residual blocks.
        metrics: names, or "FILE.py:FUNCTION" for one of the user's own; groups are ranked by the first.
        plan: what the full quantization is, as a Plan or its JSON text; made from the recipe's target if not given.
        checkpoint: where to keep what was measured, in case of an interruption.
    """

    mode: Literal["alone", "without", "both"] = "alone"
    groups: Literal["kernels", "blocks"] = "kernels"
    metrics: Sequence[str] = ()
    plan: Plan | str | None = None
    checkpoint: Checkpoint | None = None

    def __post_init__(self) -> None:
        if isinstance(self.metrics, str):
            raise RecipeError(f"metrics is a list of names. Got '{self.metrics}': write ('{self.metrics}',).")
        for what, value, known in (("mode", self.mode, MODES), ("kind of groups", self.groups, SIZES)):
            if value not in known:
                raise RecipeError(
                    f"Unknown {what} '{value}'. Choose one of: {', '.join(known)}.{near_misses(str(value), known)}"
                )

    @property
    def modes(self) -> tuple[str, ...]:
        """What is done to each group."""
        return MODES[:2] if self.mode == "both" else (self.mode,)

    def chosen(self) -> tuple[Metric | OwnMetric, ...]:
        """The metrics that are asked for, and SQNR.

        Raises:
            RecipeError: there is no such metric.
            DataError: there is no such script, or it raises anything.
        """
        names = dict.fromkeys((*(self.metrics or SHOWN), SQNR.name))
        return tuple(own_metric(name) if is_script(name) else pick(METRICS, name, "metric") for name in names)


def scoring(metrics: Sequence[Metric | OwnMetric]) -> Scoring:
    """What computes `metrics`."""
    return Scoring(
        tuple(metric for metric in metrics if isinstance(metric, Metric)),
        tuple(metric for metric in metrics if isinstance(metric, OwnMetric)),
    )
