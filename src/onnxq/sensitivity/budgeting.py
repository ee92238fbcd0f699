"""Quantizes within a budget: full quantization where it holds, else as little in float as a search finds to suffice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from onnxq.catalog import pick
from onnxq.catalog.fixes import fixes_of
from onnxq.catalog.metrics import METRICS
from onnxq.core.budget import Budget, Choice, Outcome, Point, front_of
from onnxq.core.deadline import Deadline, TimeUp
from onnxq.core.execution import Execution
from onnxq.core.metric import Metric, OwnMetric
from onnxq.core.observer import Clock
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.core.samples import Data, Samples
from onnxq.core.statistics import Statistics
from onnxq.data.own_metric import is_script, own_metric
from onnxq.errors import BudgetError, RecipeError
from onnxq.pipeline import Model, Result, Scaled, finished, scaled
from onnxq.pipeline.fixing import fixed
from onnxq.pipeline.order import Order
from onnxq.pipeline.scaling import replanned
from onnxq.sensitivity.knapsack import check_solver
from onnxq.sensitivity.origins import Noises, measure_noise
from onnxq.sensitivity.search import Search
from onnxq.sensitivity.trials import Judge, Trials

EXACT = ("sqnr", "cosine")
"""Metrics that each sample adds to a little; the others count samples, of which few decide about a small drop."""

WRITTEN = 4
"""So many choices are judged as they are written, until one holds."""

CORRECTIONS, MORE = 4, 1.5
"""So often a search goes on because the written model, with its rest in a short type, does worse than INT8 alone.

It is then asked for as much more as was lacking, and each time for this many times the last margin at least.
"""


def quantize_within(
    budget: Budget,
    model: Model,
    calib: Data | Samples | Statistics | None = None,
    recipe: Recipe = Recipe(),
    *,
    evaluation: Data | Samples | None = None,
    execution: Execution = Execution(),
) -> tuple[Result, Outcome]:
    """Quantizes as much of a model as a budget allows. No file is written.

    The budget is held on the evaluation data, else on the calibration samples, by the model as it is written. The
    result's recipe has the groups in float as `skip`, and the calibrators that were chosen as `tensors`: `quantize`
    makes the same model of it.

    Args:
        budget: what may be lost.
        model: FP32, as a ModelProto or a path. Not modified.
        calib: as for `quantize`.
        recipe: what is quantized at the most, and how.
        evaluation: inputs that are not among `calib`. Labels may be among the arrays.
        execution: how models are run.

    Raises:
        InputError: the model, the data, the recipe or the budget are not usable; the message says what to change.
        BudgetError: the budget cannot be kept.
        StageError: onnxq or a runtime failed.
    """
    if not recipe.int8:
        raise RecipeError("Without INT8 there is nothing to search. Leave out the budget, or --no-int8.")
    judge = Judge(budget, _metric(budget.metric))
    deadline = Deadline.after(budget.seconds)
    clock = Clock(execution.observer)
    order = Order(calib, recipe, execution, None, evaluation)
    found = scaled(model, order, clock)
    result, outcome = _Budgeting.of(found, fixed(found, order, clock), order, judge, deadline).run(clock)
    if not (outcome.met or budget.best_effort):
        raise BudgetError(_failed(outcome))
    return result, outcome


def _metric(name: str) -> Metric | OwnMetric:
    """The metric of that name, or a script of the user's.

    Raises:
        RecipeError: there is none, or a smaller figure of it is better.
        DataError: the script cannot be read.
    """
    if is_script(name):
        return own_metric(name)
    chosen = pick(METRICS, name, "metric")
    if not chosen.larger_is_better:
        raise RecipeError(f"Less {name} is better, so it cannot drop. Choose another metric for a budget.")
    return chosen


def _failed(outcome: Outcome) -> str:
    asked, reached = outcome.budget, outcome.reached
    why = "The search found nothing closer" if outcome.complete else "The time limit passed before more was found"
    return (
        f"The budget cannot be kept: {asked}, which is {outcome.allowed:.6g} here. The closest has {reached.figure:.6g}"
        f" with {reached.share:.1%} of the compute in INT8. {why}. Allow more, or take the closest with --best-effort."
    )


@dataclass(frozen=True)
class _Budgeting:
    """A search with its data.

    Choices are compared with the fixes that keep what the model computes, and written with all of them, made anew.

    Attributes:
        found: the model without fixes.
        full: the same with all of them.
        trials: what was measured.
        plain: how full quantization does in that comparison.
        order: what was asked for, with the fixes that were taken.
    """

    found: Scaled
    full: Scaled
    trials: Trials
    plain: Fidelity
    order: Order

    @staticmethod
    def of(found: Scaled, full: Scaled, order: Order, judge: Judge, deadline: Deadline) -> _Budgeting:
        order = replace(order, recipe=replace(order.recipe, fixes=full.fixes.taken))
        trials = Trials.of(full, order.recipe, judge, order.execution, deadline)
        if (sources := found.ready.sources).evaluation is None:
            ready = replace(found.ready, sources=replace(sources, evaluation=trials.source))
            found, full = replace(found, ready=ready), replace(full, ready=ready)
        (plain,) = trials.bench.measure([trials.material.variant(Choice())], trials.source, judge.scoring)
        trials.found[Choice()] = Point(trials.material.share(Choice()), judge.figure(plain), Choice())
        return _Budgeting(found, full, trials, plain, order)

    def run(self, clock: Clock) -> tuple[Result, Outcome]:
        """The model that was chosen, as it is written, and what the search came to."""
        trials, judge = self.trials, self.trials.judge
        allowed, margin, complete = judge.allowed(self.plain), self._margin(clock), True
        for _ in range(CORRECTIONS):
            with clock.stage("search"):
                complete = self._search(allowed + margin)
            result, reached = self._judged(allowed + margin, allowed, clock)
            if reached.figure >= allowed or not (complete and trials.best(allowed + margin)):
                break
            margin = max(MORE * margin, margin + allowed - reached.figure)
        return result, Outcome(
            budget=judge.budget,
            baseline=judge.baseline(self.plain),
            allowed=allowed,
            reached=reached,
            met=reached.figure >= allowed,
            plain=trials.found[Choice()],
            front=front_of(list(trials.found.values())),
            trials=len(trials.found),
            samples=len(trials.source),
            complete=complete,
        )

    def _margin(self, clock: Clock) -> float:
        """What full quantization gains from fixes that the comparison lacks, as a negative number; 0 if nothing."""
        if all(fix.preserves for fix in fixes_of(self.order.recipe.fixes)):
            return 0.0
        written = self._written(Choice(), clock).report.fidelity
        assert written is not None  # there are samples
        return min(0.0, self.trials.found[Choice()].figure - self.trials.judge.figure(written))

    @cached_property
    def _noises(self) -> Noises:
        """Of all that is quantized; measured once, however often a search goes on."""
        return measure_noise(self.trials.bench, self.trials.material, self.trials.few)

    def _search(self, wanted: float) -> bool:
        """Whether the search came to its end."""
        trials = self.trials
        try:
            if trials.found[Choice()].figure < wanted:
                trials.deadline.check()
                check_solver()
                Search(trials, self._noises, wanted, exact=trials.judge.metric.name in EXACT).run()
        except TimeUp:
            return False
        return True

    def _judged(self, wanted: float, allowed: float, clock: Clock) -> tuple[Result, Point]:
        """The cheapest that holds as it is written, of the first few that hold in INT8 alone; else the closest of them.

        What a short type costs differs by a dB between choices that are otherwise alike.
        """
        closest: tuple[Result, Point] | None = None
        first: dict[frozenset[str], Point] = {}
        for point in self.trials.holding(wanted):
            first.setdefault(point.choice.floats, point)
        for point in list(first.values())[:WRITTEN] or [self.trials.closest()]:
            result = self._written(point.choice, clock)
            assert result.report.fidelity is not None  # there are samples
            reached = replace(point, figure=self.trials.judge.figure(result.report.fidelity))
            if closest is None or reached.figure > closest[1].figure:
                closest = result, reached
            if reached.figure >= allowed:
                break
        assert closest is not None  # something was tried
        return closest

    def _written(self, choice: Choice, clock: Clock) -> Result:
        recipe, final = self.trials.material.asked(choice), self.full
        order = replace(self.order, recipe=recipe)
        if choice != Choice():
            plan = self.trials.material.plan_of(choice)
            final = fixed(replanned(self.found, plan, recipe, order.calib, order.execution), order, clock)
        return finished(final, recipe, order.execution, clock, self.trials.judge.scoring.own)
