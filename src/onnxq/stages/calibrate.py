"""Measures activations: batches through a runtime, each reduced to histograms at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from onnxq.core.batch import Batch, Run
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import DataError


def calibrate(run: Run, batches: Iterable[Batch], tensors: Sequence[str]) -> Statistics:
    """The statistics of `tensors` over all batches. Memory does not grow with the number of batches.

    Args:
        run: feeds -> the values of `tensors`.
        batches: what to feed.
        tensors: names of the tensors to measure.

    Raises:
        DataError: there are no batches, or the model computes NaN or Inf from them.
    """
    measured = {name: TensorStatistics.empty() for name in tensors}
    samples = 0
    for batch in batches:
        values = dict(run(batch.feeds))
        for name in tensors:
            value = batch.unpadded(values.pop(name))  # each is freed as soon as it is counted
            if not np.isfinite(value).all():
                raise DataError(
                    f"The FP32 model computes NaN or Inf in tensor '{name}' for one of the samples "
                    f"{samples} to {samples + batch.samples - 1}. Leave it out, or skip the node that reads it."
                )
            measured[name] = measured[name].observe(value)
        samples += batch.samples
    if samples == 0:
        raise DataError("There are no calibration samples. Give at least one; a few hundred are usual.")
    return Statistics(measured, samples)
