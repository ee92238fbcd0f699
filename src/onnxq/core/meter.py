"""How far quantized models are from the model they are made of, on a few samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxq.core.batch import Batch, is_real
from onnxq.core.fix import Case
from onnxq.core.graph import GraphView
from onnxq.core.scales import Scales

LEAST = 1e-15
"""Less noise is not told apart."""


@dataclass(frozen=True)
class Meter:
    """Compares with the outputs of the reference.

    Attributes:
        case: the model.
        batches: what it is run on.
        wanted: the reference's outputs for each batch.
    """

    case: Case
    batches: tuple[Batch, ...]
    wanted: tuple[Mapping[str, np.ndarray], ...]

    @staticmethod
    def of(case: Case, samples: int, start: int = 0) -> Meter:
        """A meter that runs whole batches, from sample number `start` on, until there are so many samples."""
        run = case.run(case.reference, None, case.reference.outputs)
        batches: list[Batch] = []
        for batch in case.samples.batches(start):
            batches.append(batch)
            if sum(seen.samples for seen in batches) >= samples:
                break
        made = (run(batch.feeds) for batch in batches)
        return Meter(case, tuple(batches), tuple(dict(one) for one in made))

    def noise(self, view: GraphView, scales: Scales | None) -> float:
        """The energy of the error over that of the output, as the geometric mean of all outputs of all samples.

        A few samples that go wrong would decide about a sum.

        Args:
            view: the model, changed or not.
            scales: of what is quantized.
        """
        run = self.case.run(view, scales, view.outputs)
        logs: list[np.ndarray] = []
        for batch, wanted in zip(self.batches, self.wanted, strict=True):
            made = run(batch.feeds)
            for name, value in wanted.items():
                if is_real(value) and value.shape == made[name].shape:
                    right, found = (batch.by_sample(array).astype(np.float64) for array in (value, made[name]))
                    error, energy = (np.square(of).sum(1) for of in (found - right, right))
                    logs.append(np.log(np.maximum(error[energy > 0] / energy[energy > 0], LEAST)))
        return float(np.exp(np.concatenate(logs).mean())) if any(map(len, logs)) else 0.0
