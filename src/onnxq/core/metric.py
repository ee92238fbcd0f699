"""What a metric is: sums that are merged over batches, and the figure they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """

    name: str
    unit: str
    sums: Callable[[Floats, Floats, NDArray[Any] | None], Sums]
    figure: Callable[[Sums], float]
    labelled: bool = False
    merge: Callable[[Sums, Sums], Sums] = np.add
