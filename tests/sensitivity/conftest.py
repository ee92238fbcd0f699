"""A trained model with all that variants of it need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from onnxq.core.batch import Source, Tensors
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.core.variant import Variant
from onnxq.pipeline import Model, Scaled, scaled
from onnxq.pipeline.measurement import shapes
from onnxq.pipeline.order import Order
from onnxq.pipeline.sources import first
from onnxq.sensitivity import Bench
from onnxq.stages.plan.groups import kernels

MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True)
class Case:
    """A model that is ready for Q/DQ, its groups, and samples to measure on."""

    found: Scaled
    groups: tuple[Group, ...]
    source: Source

    @staticmethod
    def of(model: Model, calib: object, evaluation: object) -> Case:
        order = Order(calib, Recipe(rest="fp32"), Execution(), None, evaluation)
        found = scaled(model, order, Clock(Silent()))
        source = found.ready.sources.evaluation
        ready = found.ready
        sizes = shapes(ready.subject, next(first(source.batches()).split()), Execution())
        return Case(found, kernels(ready.plan, ready.subject.view, ready.subject.target, sizes), source)

    @property
    def sample(self) -> Tensors:
        return next(first(self.source.batches()).split())

    def bench(self, **chosen: object) -> Bench:
        return Bench(self.found.ready.given, self.found.ready.subject, self.groups, self.sample, Execution(**chosen))

    def alone(self, groups: Sequence[Group]) -> Iterator[Variant]:
        plan = self.found.ready.plan
        nodes = {decision.site.node for decision in plan.quantized}
        return (Variant(g.name, plan.without(nodes.difference(g.nodes)), self.found.scales) for g in groups)

    def without(self, groups: Sequence[Group]) -> Iterator[Variant]:
        return (Variant(g.name, self.found.ready.plan.without(g.nodes), self.found.scales) for g in groups)

    def full(self) -> Variant:
        return Variant("full", self.found.ready.plan, self.found.scales)


def arrays(name: str, samples: int) -> dict[str, np.ndarray]:
    with np.load(MODELS / f"digits_{name}.npz") as archive:
        return {key: archive[key][:samples] for key in archive.files}


@pytest.fixture(scope="session")
def digits() -> Case:
    return Case.of(MODELS / "digits_resnet.onnx", arrays("calib", 64), arrays("eval", 40))
