"""What a metric is: sums that are merged over batches, and the figure they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Batch, Tensors
from onnxq.core.format import Floats
from onnxq.errors import DataError

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
        lost: figure -> what is lost, 0 if nothing is; None where that is how far the figure is from FP32's.
        loss_unit: of what is lost, for people; that of the figure if empty.
    """

    name: str
    unit: str
    sums: Callable[[Floats, Floats, NDArray[Any] | None], Sums]
    figure: Callable[[Sums], float]
    labelled: bool = False
    merge: Callable[[Sums, Sums], Sums] = np.add
    larger_is_better: bool = True
    lost: Callable[[float], float] | None = None
    loss_unit: str = ""

    def loss(self, figure: float, of_fp32: float | None) -> float:
        """What is lost against FP32, 0 if nothing is.

        Args:
            figure: of a quantized model.
            of_fp32: the figure of FP32 itself; None where it has no labels to be wrong about.
        """
        if self.lost:
            return self.lost(figure)
        same = np.ones((1, 2), np.float32)
        best = self.figure(self.sums(same, same, None)) if of_fp32 is None else of_fp32
        return best - figure if self.larger_is_better else figure - best


@dataclass(frozen=True)
class OwnMetric:
    """A figure that users compute themselves, of all outputs together. Larger is better.

    Attributes:
        name: what reports call it.
        scores: (outputs, FP32 outputs, labels) -> the score of each sample of one batch, or of all together their
            mean. Outputs are arrays by name; labels are (samples,) class numbers, or None.
        code: what tells its code from other code of the same name.
    """

    name: str
    scores: Callable[[Tensors, Tensors, NDArray[Any] | None], NDArray[np.float64]]
    unit: str = ""
    larger_is_better: bool = True
    loss_unit: str = ""
    code: str = ""

    def loss(self, figure: float, of_fp32: float | None) -> float:
        """By how much a figure is below that of FP32."""
        return (of_fp32 or 0.0) - figure

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
        if scores.ndim and len(scores) != batch.samples:
            raise DataError(
                f"The metric '{self.name}' returns {len(scores)} numbers for {batch.samples} samples. Return one for "
                "each, or their mean."
            )
        return np.array([scores.sum() if scores.ndim else scores * batch.samples, batch.samples], np.float64)

    def figure(self, sums: Sums) -> float:
        """The mean over all samples."""
        return float(sums[0] / max(1.0, sums[1]))

    def merge(self, one: Sums, other: Sums) -> Sums:
        """The sums of two batches."""
        return one + other
