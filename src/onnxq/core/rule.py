"""What a recipe says about some of the nodes, and what holds for a node about which several rules say something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Generic, Literal, TypeVar

from onnxq.core.calibrator import check_percentile, spelled
from onnxq.core.graph import GraphView
from onnxq.core.selector import NAME, Selector
from onnxq.errors import RecipeError

GRANULARITIES = ("per_channel", "per_tensor")
"""Of weights, the default first: one scale per output channel wherever the target's table has it, or one in all."""

Placement = Literal["skip", "include", "table"]
"""Whether a node stays in float, is quantized against the target's advice, or is placed as the table says."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Rule:
    """Settings for the nodes that a selector means. What is None is left as it is.

    Attributes:
        select: the nodes, or their selector as text.
        calibrator: of the activations that they read: "mse", "percentile", "percentile 99.9".
        percentile: for a calibrator "percentile" that does not say it itself.
        weight_calibrator: of their weights, likewise.
        weight_granularity: "per_channel", where the target's table has it, or "per_tensor".
        skip: True leaves them in float; False undoes what a less specific rule says.
        include: True quantizes them although the table advises against it; False undoes that.
        rest: "fp32" computes them in FP32 where they are not quantized; the recipe's `rest` undoes that.
    """

    select: Selector | str
    calibrator: str | None = None
    percentile: float | None = None
    weight_calibrator: str | None = None
    weight_granularity: str | None = None
    skip: bool | None = None
    include: bool | None = None
    rest: str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, field.name) is None for field in fields(self)[1:]):
            names = ", ".join(field.name for field in fields(self)[1:])
            raise RecipeError(f"The rule for '{self.select}' sets nothing. Settings: {names}.")
        if self.skip and self.include:
            raise RecipeError(f"The rule for '{self.select}' skips and includes the same nodes. Leave out one of both.")
        if self.percentile is not None:
            check_percentile(self.percentile)
            if "percentile" not in (self.calibrator, self.weight_calibrator):
                raise RecipeError(
                    f"The percentile of the rule for '{self.select}' does nothing without calibrator 'percentile'. "
                    "Give both."
                )
        if self.weight_granularity is not None:
            check_granularity("weight_granularity", self.weight_granularity)

    @property
    def selector(self) -> Selector:
        """The nodes meant."""
        return Selector.of(self.select) if isinstance(self.select, str) else self.select

    @property
    def placement(self) -> Placement | None:
        """What `skip` and `include` say together."""
        if self.skip or self.include:
            return "skip" if self.skip else "include"
        return None if self.skip is None and self.include is None else "table"

    def spelled(self, percentile: float) -> Rule:
        """The same with the parameters of its calibrators written out.

        Args:
            percentile: in percent, where the rule has none.
        """
        if not (self.calibrator or self.weight_calibrator):
            return self
        kept = percentile if self.percentile is None else self.percentile
        return replace(
            self,
            calibrator=self.calibrator and spelled(self.calibrator, kept),
            percentile=None,
            weight_calibrator=self.weight_calibrator and spelled(self.weight_calibrator, kept),
        )

    def __str__(self) -> str:
        said = ((field.name, getattr(self, field.name)) for field in fields(self)[1:])
        return ", ".join(f"{name} {str(value).lower()}" for name, value in said if value is not None)


@dataclass(frozen=True)
class Said(Generic[T_co]):
    """A setting of one node.

    Attributes:
        value: what holds.
        by: the selector of the rule that says so.
        strength: of that rule: specificity, number of conditions, place among the rules. The largest wins.
    """

    value: T_co
    by: Selector
    strength: tuple[int, int, int]

    @property
    def is_by_name(self) -> bool:
        """Whether the rule names this very node."""
        return self.strength[0] == NAME


@dataclass(frozen=True)
class Settings:
    """What the rules say about one node; None where they say nothing."""

    placement: Said[Placement] | None = None
    calibrator: Said[str] | None = None
    weight_calibrator: Said[str] | None = None
    weight_granularity: Said[str] | None = None
    rest: Said[str] | None = None

    def has(self, placement: Placement) -> bool:
        """Whether the rules place the node so."""
        return self.placement is not None and self.placement.value == placement

    def or_stronger(self, other: Settings) -> Settings:
        """Of each setting the stronger one."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in SETTINGS)
        stronger = {name: new for name, old, new in pairs if new and (old is None or new.strength > old.strength)}
        return replace(self, **stronger)


SETTINGS = tuple(field.name for field in fields(Settings))


@dataclass(frozen=True)
class Match:
    """A rule in a graph: the nodes that it means, and those of them for which some setting of it holds."""

    rule: Rule
    nodes: tuple[str, ...]
    decided: tuple[str, ...]


def resolve(rules: Iterable[Rule], view: GraphView, weighted: frozenset[str]) -> Mapping[str, Settings]:
    """What holds for each node that some rule means: the most specific rule wins, then the later.

    Args:
        rules: in their order, calibrators written out.
        view: a prepared graph.
        weighted: the names of the nodes that positions are counted in.

    Raises:
        RecipeError: a selector matches no node.
    """
    found: dict[str, Settings] = {}
    for place, rule in enumerate(rules):
        strength = (*rule.selector.specificity(view), place)
        values = ((name, getattr(rule, name)) for name in SETTINGS)
        said = Settings(**{n: Said(value, rule.selector, strength) for n, value in values if value is not None})
        for name in rule.selector.select(view, weighted):
            found[name] = found.get(name, Settings()).or_stronger(said)
    return found


def matches(rules: Iterable[Rule], view: GraphView, weighted: frozenset[str]) -> tuple[Match, ...]:
    """Each rule with the nodes that it means, in graph order.

    Raises:
        RecipeError: a selector matches no node.
    """
    rules = tuple(rules)
    settings = resolve(rules, view, weighted)
    decided = {
        (said.strength[2], name)
        for name, found in settings.items()
        for said in (getattr(found, key) for key in SETTINGS)
        if said
    }
    chosen = [rule.selector.select(view, weighted) for rule in rules]
    ordered = [tuple(name for name in view.by_name if name in names) for names in chosen]
    return tuple(
        Match(rule, nodes, tuple(name for name in nodes if (place, name) in decided))
        for place, (rule, nodes) in enumerate(zip(rules, ordered, strict=True))
    )


def check_granularity(key: str, value: object) -> None:
    """Refuses what is no granularity.

    Raises:
        RecipeError: it is none.
    """
    if value not in GRANULARITIES:
        raise RecipeError(f"Unknown {key} '{value}'. Choose one of: {', '.join(GRANULARITIES)}.")
