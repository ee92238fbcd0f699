"""What the user asked for."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.graph import Node
from onnxq.errors import RecipeError, near_misses


def _is_grouped(node: Node) -> bool:
    return node.op in ("Conv", "ConvTranspose") and node.integer("group", 1) > 1


TRAITS: Mapping[str, Callable[[Node], bool]] = {"grouped": _is_grouped}
"""What nodes can be, besides instances of an operator: convolutions in groups, depthwise ones among them."""


@dataclass(frozen=True)
class Selector:
    """Names nodes: ``op:Softmax`` by operator, ``re:layer[34]`` by regular expression, else by name or glob.

    ``is:grouped`` names nodes by what they are.
    """

    pattern: str

    def __post_init__(self) -> None:
        if self.pattern.startswith("re:"):
            try:
                re.compile(self.pattern[3:])
            except re.error as cause:
                raise RecipeError(f"The selector '{self.pattern}' is no valid regular expression: {cause}.") from cause
        if self.pattern.startswith("is:") and self.pattern[3:] not in TRAITS:
            raise RecipeError(f"The selector '{self.pattern}' is unknown. Choose one of: is:{', is:'.join(TRAITS)}.")

    def matches(self, node: Node) -> bool:
        """Whether `node` is meant."""
        if self.pattern.startswith("op:"):
            return node.op == self.pattern[3:]
        if self.pattern.startswith("is:"):
            return TRAITS[self.pattern[3:]](node)
        if self.pattern.startswith("re:"):
            return re.search(self.pattern[3:], node.name) is not None
        return node.name == self.pattern or fnmatch.fnmatchcase(node.name, self.pattern)

    def select(self, nodes: Iterable[Node]) -> frozenset[str]:
        """The names of the nodes meant.

        Raises:
            RecipeError: there are none; the message has near misses.
        """
        nodes = tuple(nodes)
        chosen = frozenset(node.name for node in nodes if self.matches(node))
        if not chosen:
            wanted = self.pattern.removeprefix("op:").removeprefix("re:")
            known = {node.op for node in nodes} if self.pattern.startswith("op:") else {node.name for node in nodes}
            hint = near_misses(wanted, sorted(known)) or " `onnxq plan` lists the names of all nodes."
            raise RecipeError(f"The selector '{self.pattern}' matches no node.{hint}")
        return chosen


@dataclass(frozen=True)
class Recipe:
    """How to quantize.

    Attributes:
        target: the name of a placement table.
        calibrator: the name of the calibrator of activations.
        weight_calibrator: the name of the calibrator of weights.
        percentile: the share of magnitudes, in percent, that the calibrator "percentile" keeps.
        cache: scales of activations that TensorRT found earlier; what it lacks is calibrated.
        skip: selectors of nodes that stay in float, or their patterns.
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

    def __post_init__(self) -> None:
        if isinstance(self.skip, str):
            raise RecipeError(f"skip is a list of selectors. Got '{self.skip}': write ('{self.skip}',).")
        for name, kind in (("percentile", float | int), ("seed", int)):
            if not isinstance(value := getattr(self, name), kind):
                raise RecipeError(f"{name} must be a number. Got {value!r}.")
        if not 0.0 < self.percentile <= 100.0:
            raise RecipeError(f"The percentile must lie in (0, 100]. Got {self.percentile}.")
        if self.seed < 0:
            raise RecipeError(f"The seed must be at least 0. Got {self.seed}.")

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What `skip` asks for."""
        return tuple(Selector(pattern) if isinstance(pattern, str) else pattern for pattern in self.skip)
