"""A budget of accuracy on data that neither calibration nor the search has seen."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import onnx

from cases import Arrays, Case
from figures import classes
from onnxq.core.budget import Budget, Outcome
from onnxq.pipeline.product import judged
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity import quantize_within

LABEL = "label"


@dataclass(frozen=True)
class Paired:
    """Two models on the same samples.

    Attributes:
        samples: how many.
        right: of FP32, in %.
        lost: samples on which only FP32 is right.
        won: samples on which only INT8 is right.
    """

    samples: int
    right: float
    lost: int
    won: int

    @property
    def drop(self) -> float:
        """Of the accuracy, in percentage points."""
        return 100 * (self.lost - self.won) / self.samples

    @property
    def error(self) -> float:
        """The standard error of the drop, in percentage points."""
        difference = self.lost - self.won
        return 100 * math.sqrt(self.lost + self.won - difference**2 / self.samples) / self.samples

    @staticmethod
    def of(truth: np.ndarray, before: np.ndarray, after: np.ndarray) -> Paired:
        left, right = before == truth, after == truth
        return Paired(len(truth), 100 * float(left.mean()), int((left & ~right).sum()), int((right & ~left).sum()))


@dataclass(frozen=True)
class Unseen:
    """What a search came to on its half of the evaluation data, and how that does on the other."""

    outcome: Outcome
    budget: Budget
    found: Paired
    seconds: float

    @property
    def allowed(self) -> float:
        """The drop that the budget allows on the other half, in percentage points."""
        return self.found.right - self.budget.allowed(self.found.right)

    @property
    def verdict(self) -> str:
        """Whether the budget holds there, or how many standard errors it is missed by."""
        excess = self.found.drop - self.allowed
        if excess <= 0:
            return "held"
        return f"missed by {excess / self.found.error:.1f} errors"


def unseen(case: Case, budget: Budget, samples: int | None) -> Unseen:
    """Even samples are searched on, odd ones judge."""
    calib, _ = case.load("calib", case.calib_samples)
    inputs, labels = case.load("eval", samples)
    assert labels is not None
    start = time.perf_counter()
    searched = {**{name: array[::2] for name, array in inputs.items()}, LABEL: labels[::2]}
    result, outcome = quantize_within(budget, str(case.model), calib, evaluation=searched)
    seconds = time.perf_counter() - start
    kept = {name: array[1::2] for name, array in inputs.items()}
    before, after = (predicted(model, kept) for model in (onnx.load(case.model), judged(result.model)))
    return Unseen(outcome, budget, Paired.of(labels[1::2], before, after), seconds)


def predicted(model: onnx.ModelProto, inputs: Arrays, batch: int = 50) -> np.ndarray:
    session = Session(model, setup=Setup(as_written=True))
    count = len(next(iter(inputs.values())))
    cuts = ({name: array[at : at + batch] for name, array in inputs.items()} for at in range(0, count, batch))
    return np.concatenate([classes(session(feeds)) for feeds in cuts])
