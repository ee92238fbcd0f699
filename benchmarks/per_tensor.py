"""One calibrator for all activations, against one for each, chosen by the noise it makes at the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cases import Arrays, Case
from onnxq import onnx_io
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.budget import Budget, Choice
from onnxq.core.execution import Execution
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.core.variant import Variant
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.pipeline import scaled
from onnxq.pipeline.order import Order
from onnxq.sensitivity import Scoring
from onnxq.sensitivity.origins import CANDIDATES, measure_noise
from onnxq.sensitivity.trials import Judge, Trials

ASIDE = 128
"""Calibration samples on which calibrators are compared, at the most: not those that were counted."""


@dataclass(frozen=True)
class Calibrators:
    """The SQNR of the worst output in dB, on samples that nothing was chosen on.

    Attributes:
        singles: of each calibrator alone.
        single: the calibrator that is best on the samples kept aside.
        each: of one calibrator per activation.
        changed: activations whose calibrator is not the default one, and how many there are.
    """

    singles: Mapping[str, float]
    single: str
    each: float
    changed: tuple[int, int]

    @property
    def best(self) -> str:
        """The single calibrator that is best in hindsight: nobody could have known."""
        return max(self.singles, key=lambda name: self.singles[name])


def calibrators(case: Case, samples: int) -> Calibrators:
    """Counted on some calibration samples, chosen on others, judged on evaluation data."""
    counted, aside = split(case)
    order = Order(counted, Recipe(), Execution(), None, aside)
    found = scaled(str(case.model), order, Clock(Silent()))
    trials = Trials.of(found, Recipe(), Judge(Budget(SQNR.name, floor=0.0), SQNR), Execution())
    material, plan = trials.material, trials.material.plan
    quiet = Choice().calibrated(measure_noise(trials.bench, material, trials.source).quietest())
    variants = [Variant(name, plan, material.scales_by(name)) for name in CANDIDATES]
    evaluation = source(case.load("eval", samples)[0], Request(onnx_io.inputs(found.ready.given)))

    def figures(data: object) -> list[float]:
        measured = trials.bench.measure([*variants, material.variant(quiet)], data, Scoring((SQNR,)))
        return [fidelity.worst(SQNR)[1] for fidelity in measured]

    known, judged = figures(trials.source), figures(evaluation)
    single = max(zip(CANDIDATES, known, strict=False), key=lambda pair: pair[1])[0]
    changed = len(quiet.calibrators), len(plan.activations)
    return Calibrators(dict(zip(CANDIDATES, judged, strict=False)), single, judged[-1], changed)


def split(case: Case) -> tuple[Arrays, Arrays]:
    """Calibration samples to count, and others, spread among them, to keep aside: at least a fifth."""
    arrays, _ = case.load("calib", None)
    total = len(next(iter(arrays.values())))
    spare = min(ASIDE, max(total - case.calib_samples, total // 5))
    aside = np.arange(total) % (total // spare) == 0
    parts = np.flatnonzero(~aside)[: case.calib_samples], np.flatnonzero(aside)[:ASIDE]
    counted, kept = ({name: array[part] for name, array in arrays.items()} for part in parts)
    return counted, kept
