"""One way to quantize a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from onnxq.core.graph import Site
from onnxq.core.plan import Plan
from onnxq.core.scales import QuantParams, Scales


@dataclass(frozen=True)
class Variant:
    """A plan with the scales of all that it quantizes; further scales do no harm.

    Attributes:
        name: what reports call it.
        plan: which edges have Q/DQ.
        scales: with which scales.
    """

    name: str
    plan: Plan
    scales: Scales

    @cached_property
    def params(self) -> Mapping[Site, QuantParams]:
        """What the pair on each quantized edge carries."""
        found = {}
        for decision in self.plan.quantized:
            site = decision.site
            is_weight = decision.spec is not None and decision.spec.role == "weight"
            found[site] = self.scales.weights[site] if is_weight else self.scales.activations[site.tensor]
        return found
