"""What was asked for, beside the model."""

from __future__ import annotations

from dataclasses import dataclass

from onnxq.core.execution import Execution
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Data, Samples
from onnxq.core.statistics import Statistics


@dataclass(frozen=True)
class Order:
    """The arguments of `quantize` and `calibrate`; see there."""

    calib: Data | Samples | Statistics | None
    recipe: Recipe
    execution: Execution
    plan: Plan | str | None = None
    evaluation: Data | Samples | None = None
