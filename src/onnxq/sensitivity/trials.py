"""Choices of what stays in float, and how each does at the outputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from onnxq import onnx_io
from onnxq.core.batch import Source
from onnxq.core.budget import Budget, Choice, Point
from onnxq.core.deadline import NEVER, Deadline
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.errors import DataError, RecipeError
from onnxq.pipeline import Scaled
from onnxq.pipeline.sources import first
from onnxq.pipeline.subset import canonical
from onnxq.sensitivity.bench import Bench
from onnxq.sensitivity.inquiry import scoring
from onnxq.sensitivity.material import Material
from onnxq.sensitivity.noise import cost
from onnxq.sensitivity.sheet import Scoring

MEMORY = 1 << 28
"""Bytes that the samples may take; of more, some are taken."""

NOISE_SAMPLES = 64
"""Samples on which the noise of single tensors is measured; each output of each is a measurement of its own."""


@dataclass(frozen=True)
class Judge:
    """Holds figures against a budget.

    Attributes:
        budget: what is allowed.
        metric: the budget's.
    """

    budget: Budget
    metric: Metric | OwnMetric

    @cached_property
    def scoring(self) -> Scoring:
        """What must be computed: the budget's metric."""
        return scoring([self.metric])

    def figure(self, fidelity: Fidelity) -> float:
        """The budget's figure, of the worst output.

        Raises:
            RecipeError: no output has it.
        """
        _, found = fidelity.worst(self.metric)
        if math.isnan(found):
            raise RecipeError(
                f"No output has a figure '{self.budget.metric}' that is a number. It may need labels: --eval with one "
                "array more, that holds class numbers."
            )
        return found

    def baseline(self, fidelity: Fidelity) -> float | None:
        """FP32's own figure, None where it has none."""
        output, _ = fidelity.worst(self.metric)
        return fidelity.baselines.get(output, {}).get(self.metric.name)

    def allowed(self, fidelity: Fidelity) -> float:
        """The lowest figure that the budget allows.

        Raises:
            RecipeError: it follows from FP32's figure, and there is none.
        """
        return self.budget.allowed(self.baseline(fidelity))


@dataclass
class Trials:
    """Every choice that was measured, each once.

    Attributes:
        bench: runs variants.
        material: makes variants of choices.
        source: what they are measured on.
        few: as many of these samples as the noise of single tensors is measured on.
        judge: has the budget.
        deadline: when to stop.
        found: what was measured so far.
    """

    bench: Bench
    material: Material
    source: Source
    few: Source
    judge: Judge
    deadline: Deadline = NEVER
    found: dict[Choice, Point] = field(default_factory=dict)

    @staticmethod
    def of(found: Scaled, recipe: Recipe, judge: Judge, execution: Execution, deadline: Deadline = NEVER) -> Trials:
        """Nothing is measured yet.

        Args:
            found: a model that is calibrated. Choices are measured on its evaluation data, else on the calibration
                samples.
            recipe: what was asked for.
            judge: has the budget.
            execution: how variants are run.
            deadline: see above.

        Raises:
            DataError: there are no samples.
        """
        ready = found.ready
        data, inputs = ready.sources.evaluation or ready.sources.calibration, onnx_io.inputs(ready.given)
        if data is None:
            raise DataError("There are no samples to hold the budget on. Give some with --eval, or with --calib.")
        source, few = canonical(data, inputs, MEMORY), canonical(data, inputs, MEMORY, NOISE_SAMPLES)
        sample = next(first(source.batches()).split())
        material = Material.of(found, recipe, sample, execution)
        bench = Bench(ready.given, found.reference, material.groups, sample, replace(execution, batch_size=None))
        return Trials(bench, material, source, few, judge, deadline)

    def measure(self, choices: Iterable[Choice]) -> list[Point]:
        """How each choice does, in their order.

        Raises:
            TimeUp: the deadline has passed, and some were not measured yet.
        """
        wanted = list(choices)
        fresh = [choice for choice in dict.fromkeys(wanted) if choice not in self.found]
        if fresh:
            self.deadline.check()
            variants = [self.material.variant(choice) for choice in fresh]
            figures = self.bench.measure(variants, self.source, self.judge.scoring)
            for choice, fidelity in zip(fresh, figures, strict=True):
                self.found[choice] = Point(self.material.share(choice), self.judge.figure(fidelity), choice)
        return [self.found[choice] for choice in wanted]

    def best(self, allowed: float) -> Point | None:
        """The cheapest choice with at least the figure `allowed`, None if there is none."""
        return next(iter(self.holding(allowed)), None)

    def holding(self, allowed: float) -> list[Point]:
        """Choices with at least the figure `allowed`, the cheapest first."""
        costs = {group.name: cost(group) for group in self.groups}
        return sorted(
            (point for point in self.found.values() if point.figure >= allowed and point.share > 0.0),
            key=lambda p: (sum(costs[name] for name in p.choice.floats), -p.figure, len(p.choice.calibrators)),
        )

    def closest(self) -> Point:
        """The choice with the best figure of those that quantize anything."""
        quantizing = (point for point in self.found.values() if point.share > 0.0)
        return max(quantizing, key=lambda p: (p.figure, p.share, sorted(p.choice.floats)))

    @property
    def groups(self) -> Sequence[Group]:
        """What may be quantized."""
        return self.material.groups
