"""Judges models as they are written, on samples that were kept aside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.catalog.metrics.agreement import AGREEMENT
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.batch import Array, Batch, Source, Tensors, is_real
from onnxq.core.execution import Execution
from onnxq.core.recipe import Recipe
from onnxq.core.score import Score
from onnxq.pipeline.closeness import product_of
from onnxq.pipeline.scaling import Scaled
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup


@dataclass(frozen=True)
class Referee:
    """Judges models.

    Attributes:
        original: the FP32 model as it came.
        samples: those kept aside.
        recipe: says how models are written.
        execution: how they are run.
    """

    original: Session
    samples: Source
    recipe: Recipe
    execution: Execution

    def score(self, found: Scaled) -> Score:
        """How close a model is to FP32, its rest in the type that was asked for.

        Raises:
            RuntimeFailure: ONNX Runtime refuses the model, or stops.
        """
        judged = product_of(found, self.recipe).judged
        written = Session(judged, setup=replace(Setup.of(self.execution), as_written=True))
        powers, same = [], []
        for batch in self.samples.batches():
            before, after = self.original(batch.feeds), written(batch.feeds)
            powers.append(_powers(batch, before, after))
            same += [_same(batch, before[name], after[name]) for name in before if batch.has_scores(before[name])]
        signal, noise = np.moveaxis(np.concatenate(powers), -1, 0)
        return Score(signal, noise, AGREEMENT.figure(np.sum(same, axis=0)) if same else None)


def _powers(batch: Batch, before: Tensors, after: Tensors) -> NDArray[np.float64]:
    """(samples, outputs, 2) signal and noise; a single row where an output does not have the samples on its first axis.

    Only outputs of real numbers count.
    """
    pairs = [
        (batch.by_sample(value), batch.by_sample(after[name]))
        for name, value in before.items()
        if isinstance(value, np.ndarray) and is_real(value) and value.shape == np.shape(after[name])
    ]
    rows = min((len(one) for one, _ in pairs), default=batch.samples)
    cut = [(one.reshape(rows, -1), other.reshape(rows, -1)) for one, other in pairs]
    return np.array(
        [[SQNR.sums(one[row], other[row], None) for one, other in cut] for row in range(rows)], np.float64
    ).reshape(rows, len(cut), 2)


def _same(batch: Batch, before: Array, after: Array) -> NDArray[np.float64]:
    return AGREEMENT.sums(batch.unpadded(before), batch.unpadded(after), None)
