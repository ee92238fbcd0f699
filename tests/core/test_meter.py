"""How far quantized models are from the model they are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.batch import Batch
from onnxq.core.meter import LEAST, Meter

VIEW = sketch("a = Relu(x)\nb = Neg(x)")
OTHER = replace(VIEW, captured=frozenset("x"))


@dataclass(frozen=True)
class Samples:
    """Batches of two samples each."""

    def batches(self, start=0):
        for number in range(start // 2, 4):
            yield Batch({"x": np.full((2, 3), number + 1.0, np.float32)}, 2, ("one", "two"))


def case(errors):
    """A model that computes what it is fed, and when it is changed, that with a relative error for each sample."""

    def run(view, _, outputs):
        off = np.array(errors)[:, None] if view is OTHER else 0.0
        return lambda feeds: {name: np.asarray(feeds["x"] * (1.0 + off), np.float32) for name in outputs}

    return SimpleNamespace(reference=VIEW, view=VIEW, samples=Samples(), run=run)


def test_it_runs_whole_batches_until_there_are_enough_samples():
    assert [batch.samples for batch in Meter.of(case([0.0, 0.0]), 3).batches] == [2, 2]


def test_it_starts_where_it_is_told():
    assert Meter.of(case([0.0, 0.0]), 2, 4).batches[0].feeds["x"].max() == 3.0


def test_what_is_right_makes_the_least_noise():
    assert Meter.of(case([0.0, 0.0]), 2).noise(VIEW, None) == pytest.approx(LEAST)


def test_each_sample_counts_as_much_as_any_other():
    assert Meter.of(case([0.1, 0.001]), 4).noise(OTHER, None) == pytest.approx(1e-4, rel=1e-2)
