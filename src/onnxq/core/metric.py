"""What a metric is: sums that are merged over batches, and the figure they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Batch, Tensors
from onnxq.core.format import Floats

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A figure that compares an output with its FP32 reference, or with labels.

    Attributes:
        name: as recipes spell it.
        unit: of the figure, for people.
        sums: (reference, candidate, labels) -> sums of one batch. The outputs have the same shape, with
            samples on the first axis; labels are (samples,) class numbers, or None.
        figure: the sums of all batches -> the figure.
        labelled: whether it needs labels.
        merge: the sums of two batches -> those of both; they are added unless there is another way.
        larger_is_better: whether a larger figure means closer to FP32, or more often right.
    """

    name: str
    unit: str
    sums: Callable[[Floats, Floats, NDArray[Any] | None], Sums]
    figure: Callable[[Sums], float]
    labelled: bool = False
    merge: Callable[[Sums, Sums], Sums] = np.add
    larger_is_better: bool = True


@dataclass(frozen=True)
class OwnMetric:
    """A figure that users compute themselves, of all outputs together. Larger is better.

    Attributes:
        name: what reports call it.
        scores: (outputs, FP32 outputs, labels) -> the score of each sample of one batch, or of all together their
            mean. Outputs are arrays by name; labels are (samples,) class numbers, or None.
    """

    name: str
    scores: Callable[[Tensors, Tensors, NDArray[Any] | None], NDArray[np.float64]]
    unit: str = ""
    larger_is_better: bool = True

    def sums(self, batch: Batch, before: Tensors, after: Tensors) -> Sums:
        """The sum of the scores of a batch, and their number.

        Args:
            batch: what was fed.
            before: what FP32 makes of it.
            after: what is judged.
        """
        outputs, reference = (
            {name: batch.unpadded(value) if isinstance(value, np.ndarray) else value for name, value in found.items()}
            for found in (after, before)
        )
        scores = self.scores(outputs, reference, batch.labels)
        weight = batch.samples if scores.ndim == 0 else len(scores)
        return np.array([float(scores.sum()) * (weight if scores.ndim == 0 else 1), weight], np.float64)

    def figure(self, sums: Sums) -> float:
        """The mean over all samples."""
        return float(sums[0] / max(1.0, sums[1]))

    def merge(self, one: Sums, other: Sums) -> Sums:
        """The sums of two batches."""
        return one + other
