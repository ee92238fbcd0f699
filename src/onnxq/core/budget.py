"""What a quantized model may lose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from onnxq.errors import RecipeError

DROP = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


@dataclass(frozen=True)
class Budget:
    """The lowest that a figure may become, of several outputs that of the worst; and how hard it is tried to keep it.

    Attributes:
        metric: the name of the figure; a larger one is better.
        floor: the lowest figure, None where it follows from FP32's and `drop`.
        drop: by how much the figure may be lower than FP32's.
        relative: whether `drop` is a share of FP32's figure, such as 0.005 for 0.5 %.
        best_effort: whether the closest is good enough where the budget cannot be kept.
        seconds: when to stop searching, None for never. How far a search comes by then depends on the machine.
    """

    metric: str
    floor: float | None = None
    drop: float | None = None
    relative: bool = False
    best_effort: bool = False
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.floor is None) == (self.drop is None):
            raise RecipeError("A budget has a floor or a drop. Give one of them.")
        if self.floor is not None and not math.isfinite(self.floor):
            raise RecipeError(f"The lowest {self.metric} must be a number. Got {self.floor}.")
        if self.drop is not None and not 0.0 <= self.drop < (1.0 if self.relative else math.inf):
            raise RecipeError(f"The drop of {self.metric} must be at least 0, and below 100 %. Got {self.drop}.")

        if self.seconds is not None and not self.seconds > 0:
            raise RecipeError(f"The time limit must be above 0 seconds. Got {self.seconds}.")

    @staticmethod
    def drop_of(text: str) -> tuple[float, bool]:
        """The drop that ``"0.5%"`` of FP32's figure, or ``"0.5"`` in its unit, stands for; whether it is a share.

        Raises:
            RecipeError: the text says neither.
        """
        found = DROP.fullmatch(text.strip())
        if not found:
            raise RecipeError(f"'{text}' is no drop. Give a share such as 0.5%, or a number in the metric's unit.")
        value, relative = float(found[1]), bool(found[2])
        return (value / 100 if relative else value), relative

    def allowed(self, baseline: float | None) -> float:
        """The lowest figure, given FP32's own.

        Raises:
            RecipeError: it follows from FP32's figure, and there is none.
        """
        if self.floor is not None:
            return self.floor
        if baseline is None or self.drop is None:
            raise RecipeError(
                f"FP32 has no figure '{self.metric}' that could drop. Give evaluation data with labels and --metric "
                "top1, a metric of your own, or --min-sqnr in place of --max-drop."
            )
        return baseline - self.drop * (abs(baseline) if self.relative else 1.0)

    def __str__(self) -> str:
        if self.floor is not None:
            return f"{self.metric} at least {self.floor:g}"
        amount = f"{100 * (self.drop or 0):g} % of FP32's" if self.relative else f"{self.drop:g}"
        return f"{self.metric} at most {amount} below FP32"


@dataclass(frozen=True)
class Choice:
    """What a search decides.

    Attributes:
        floats: the names of the groups that stay in float, beside those that the target or the recipe leaves there.
        calibrators: pairs (activation, calibrator) of those whose calibrator is not the recipe's.
    """

    floats: frozenset[str] = frozenset()
    calibrators: frozenset[tuple[str, str]] = frozenset()

    def without(self, group: str) -> Choice:
        """The same with a group taken back into INT8."""
        return replace(self, floats=self.floats - {group})

    def exchanging(self, back: str, into: str) -> Choice:
        """The same with one group taken back into INT8, and another left in float in its place."""
        return replace(self, floats=self.floats - {back} | {into})

    def calibrated(self, calibrators: Mapping[str, str]) -> Choice:
        """The same with the calibrators of some activations changed; an empty name stands for the recipe's."""
        changed = {**dict(self.calibrators), **calibrators}
        return replace(self, calibrators=frozenset((tensor, name) for tensor, name in changed.items() if name))


@dataclass(frozen=True)
class Point:
    """What a choice comes to.

    Attributes:
        share: of all multiply-accumulates, those that compute in INT8; 0 to 1.
        figure: the budget's figure.
        choice: what was decided.
    """

    share: float
    figure: float
    choice: Choice

    def to_json(self) -> dict[str, object]:
        """The point as plain data."""
        return {
            "int8_share": self.share,
            "figure": self.figure,
            "float_groups": sorted(self.choice.floats),
            "calibrators": dict(sorted(self.choice.calibrators)),
        }


@dataclass(frozen=True)
class Outcome:
    """What a search for a budget came to.

    Attributes:
        budget: what was asked for.
        baseline: FP32's own figure, None where it has none.
        allowed: the lowest figure that the budget allows.
        reached: what was chosen, measured as it is written.
        met: whether it holds the budget.
        plain: full quantization, as the recipe alone asks for.
        front: choices of which none is better in both figure and share, from the most INT8 to the least.
        trials: how many choices were measured at the outputs.
        samples: on how many samples.
        complete: whether the search ended by itself, and not as its time was up.
    """

    budget: Budget
    baseline: float | None
    allowed: float
    reached: Point
    met: bool
    plain: Point
    front: tuple[Point, ...]
    trials: int
    samples: int
    complete: bool

    def to_json(self) -> dict[str, object]:
        """The outcome as plain data."""
        return {
            "budget": str(self.budget),
            "met": self.met,
            "complete": self.complete,
            "metric": self.budget.metric,
            "fp32": self.baseline,
            "allowed": self.allowed,
            "reached": self.reached.to_json(),
            "full": self.plain.to_json(),
            "front": [point.to_json() for point in self.front],
            "trials": self.trials,
            "samples": self.samples,
        }


def front_of(points: list[Point]) -> tuple[Point, ...]:
    """Those of `points` that quantize anything and that no other beats in both figure and share, most INT8 first."""
    found: list[Point] = []
    for point in sorted(
        (point for point in points if point.share > 0.0), key=lambda p: (-p.share, -p.figure, len(p.choice.calibrators))
    ):
        if not found or point.figure > found[-1].figure:
            found.append(point)
    return tuple(found)
