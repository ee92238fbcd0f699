"""What the user asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.calibrator import check_percentile
from onnxq.core.rule import GRANULARITIES, Rule, check_granularity
from onnxq.core.selector import Selector
from onnxq.errors import RecipeError

AUTO = "auto"
"""Stands in place of the names of fixes: those that help are found out."""


@dataclass(frozen=True)
class Recipe:
    """How to quantize.

    Attributes:
        target: the name of a placement table.
        calibrator: the name of the calibrator of activations, perhaps with its parameter: "percentile 99.9".
        weight_calibrator: the name of the calibrator of weights, likewise.
        percentile: the share of magnitudes, in percent, that a calibrator "percentile" keeps if it does not say so.
        format: of activations; the target's if None.
        granularity: of activations: "per_tensor", as no engine reads another.
        weight_format: of weights; the target's if None.
        weight_granularity: "per_channel", wherever the target's table has it, or "per_tensor".
        cache: scales of activations that TensorRT found earlier; what it lacks is calibrated.
        skip: selectors of nodes that stay in float, or their texts. They count as rules behind all others.
        include: selectors of nodes that are quantized although the table advises against it; as rules before `skip`.
        rules: settings for single nodes. Of the rules that set one thing of one node the most specific holds, of
            several such the last.
        tensors: the calibrators of single activations, by name; these hold whatever rules say of their readers.
        residuals: for residual joins by name, the operand that is the shortcut: 0, 1, or None if neither is to be
            quantized.
        fixes: names of what is done to the model so that it loses less, in any order; or "auto" for what helps.
        labels: the name of the evaluation array that holds class numbers; found by itself if it is the only extra one.
        rest: the floating-point type of what is not quantized: "fp32", "fp16" or "bf16"; the target's if None.
        low_io: whether inputs and outputs of the model are of that type too.
        int8: whether to quantize at all, or only to convert the rest.
        seed: chooses the calibration samples that fidelity is measured on when there are no evaluation data.
    """

    target: str = "tensorrt"
    calibrator: str = "mse"
    weight_calibrator: str = "max"
    percentile: float = 99.99
    cache: CalibrationCache | None = None
    skip: Sequence[Selector | str] = ()
    labels: str | None = None
    rest: str | None = None
    low_io: bool = False
    int8: bool = True
    seed: int = 0
    format: str | None = None
    weight_format: str | None = None
    weight_granularity: str = "per_channel"
    granularity: str = "per_tensor"
    include: Sequence[Selector | str] = ()
    rules: Sequence[Rule] = ()
    tensors: Mapping[str, str] = field(default_factory=dict)
    residuals: Mapping[str, int | None] = field(default_factory=dict)
    fixes: Sequence[str] | Literal["auto"] = ()

    def __post_init__(self) -> None:
        for name, what in (("skip", "selectors"), ("include", "selectors"), ("fixes", "names")):
            if isinstance(value := getattr(self, name), str) and (name, value) != ("fixes", AUTO):
                raise RecipeError(f"{name} is a list of {what}. Got '{value}': write ('{value}',).")
        check_percentile(self.percentile)
        if not isinstance(self.seed, int):
            raise RecipeError(f"seed must be a number. Got {self.seed!r}.")
        if self.seed < 0:
            raise RecipeError(f"The seed must be at least 0. Got {self.seed}.")
        if self.granularity != "per_tensor":
            raise RecipeError(
                f"Activations have one scale per tensor: no engine reads another. Got granularity '{self.granularity}'."
            )
        check_granularity("weight_granularity", self.weight_granularity)
        for name, shortcut in self.residuals.items():
            if shortcut not in (0, 1, None):
                raise RecipeError(f"The shortcut of a residual join is 0, 1 or none. Got {shortcut!r} for '{name}'.")

    @property
    def statements(self) -> tuple[Rule, ...]:
        """All that is said of single nodes, as rules in their order, with the parameters of calibrators written out."""
        whole = self.weight_granularity
        return (
            *([Rule("*", weight_granularity=whole)] if whole != GRANULARITIES[0] else ()),
            *(rule.spelled(self.percentile) for rule in self.rules),
            *(Rule(selector, include=True) for selector in self.include),
            *(Rule(selector, skip=True) for selector in self.skip),
        )

    def amended(self, skip: Sequence[Selector | str] = (), include: Sequence[Selector | str] = ()) -> Recipe:
        """The recipe with more nodes skipped and included; of two selectors that are as specific, these win."""
        if not (skip or include):
            return self
        before = (*(Rule(one, include=True) for one in self.include), *(Rule(one, skip=True) for one in self.skip))
        return replace(self, rules=(*self.rules, *before), skip=tuple(skip), include=tuple(include))


@dataclass(frozen=True)
class RecipePreset:
    """A recipe for many models.

    Attributes:
        name: as users spell it.
        doc: one line for people.
        recipe: the recipe.
        source: where that is advised.
    """

    name: str
    doc: str
    recipe: Recipe
    source: str
