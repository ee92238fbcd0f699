"""Which calibrator a model is best served by: measured at its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import onnx

from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.batch import Source
from onnxq.core.execution import Execution
from onnxq.core.score import EXACT
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.verify import fidelity

TRIED = ("mse", "entropy", "percentile", "max")
"""Calibrators in order of preference."""

MARGIN = 3.0
"""Decibels by which a calibrator must be better than those before it: less is chance on so few samples.

On 64 samples, differences of up to 2 dB turn around on others (benchmarks/README.md).
"""


def closeness(
    given: onnx.ModelProto, candidates: Iterator[tuple[str, onnx.ModelProto]], samples: Source, execution: Execution
) -> Mapping[str, float]:
    """The SQNR of each candidate in decibels, the mean over its outputs that can be compared.

    Args:
        given: the FP32 model.
        candidates: calibrators, and what they make of the model.
        samples: to compare on.
        execution: how the models are run, and who watches.
    """
    setup = Setup.of(execution)
    original = onnxruntime.Session(given, setup=setup)
    found = {}
    for done, (name, written) in enumerate(candidates):
        execution.observer.advance(done, len(TRIED))
        quantized = onnxruntime.Session(written, setup=replace(setup, as_written=True))
        figures = fidelity(original, quantized, samples.batches(), (SQNR,)).figures
        decibels = [max(-EXACT, min(figure[SQNR.name], EXACT)) for figure in figures.values()]
        found[name] = sum(decibels) / len(decibels) if decibels else 0.0
    return found


def preferred(found: Mapping[str, float]) -> str:
    """The closest; among those that are as close, the first."""
    best = next(iter(found))
    for name, decibels in found.items():
        if decibels > found[best] + MARGIN:
            best = name
    return best
