"""What a model is calibrated with, and what its fidelity is measured on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import onnx

from onnxq import onnx_io
from onnxq.core.batch import Batch, InputSpec, Source, Tensors
from onnxq.core.observer import Observer
from onnxq.core.statistics import Statistics
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import DataError, RecipeError
from onnxq.pipeline.order import Order
from onnxq.pipeline.subset import Subset

CHECKED = 64
"""Calibration samples that fidelity is measured on when there are no evaluation data."""

BATCH_SIZE = 32
"""Samples per inference, where the model leaves it free and memory suffices."""


@dataclass(frozen=True)
class Sources:
    """Samples to calibrate with, and other samples to measure fidelity on; either may be missing."""

    calibration: Source | None
    evaluation: Source | None

    @staticmethod
    def of(given: onnx.ModelProto, order: Order) -> Sources:
        """Opens the data.

        Raises:
            DataError: they cannot be read, or do not fit the model.
            RecipeError: there are no data for the labels.
        """
        calib, evaluation, labels = order.calib, order.evaluation, order.recipe.labels
        if labels and evaluation is None:
            raise RecipeError(f"There is no evaluation data to find the labels '{labels}' in. Give some.")
        wanted = Request(onnx_io.inputs(given), order.execution.batch_size or BATCH_SIZE)
        return Sources(
            None if calib is None or isinstance(calib, Statistics) else source(calib, wanted),
            None if evaluation is None else source(evaluation, replace(wanted, labels=labels)),
        )

    def remembering(self, size: int, inputs: Sequence[InputSpec]) -> Sources:
        """The same samples; `size` of those for calibration are remembered as they pass by."""
        found = self.calibration
        return self if found is None else replace(self, calibration=Subset(found, inputs, size))

    def rebatched(self, size: int) -> Sources:
        """The same samples, `size` to a batch."""
        parts = (self.calibration, self.evaluation)
        return Sources(*(None if part is None else part.rebatched(size) for part in parts))

    def calibration_again(self) -> Source:
        """The samples to calibrate with, for those who read them more than once.

        Raises:
            DataError: there are none, or they can be read only once.
        """
        if self.calibration is None or self.calibration.is_stream:
            raise DataError(
                "Fixes look at the calibration samples more than once. Give these with --calib, as files or arrays, or "
                "leave out the fixes: --fixes none."
            )
        return self.calibration

    @property
    def can_repeat_checks(self) -> bool:
        """Whether fidelity can be measured more than once."""
        data = self.evaluation or self.calibration
        return data is not None and not data.is_stream

    def probe(self, seed: int) -> Tensors | None:
        """The feeds of one sample, None if there are no data."""
        for part in (self.calibration, self.evaluation):
            if part is not None:
                return first(part.some(1, seed)).feeds
        return None

    def checks(self, seed: int, observer: Observer, most: int | None = None) -> Iterator[Batch] | None:
        """What fidelity is measured on: the evaluation data, else some of the calibration samples, else None.

        Args:
            seed: draws the samples, where not all are taken.
            observer: told when a batch is done.
            most: samples at the most; None for all evaluation data.
        """
        if self.evaluation is not None and (most is None or len(self.evaluation) <= most):
            return counted(self.evaluation.batches(), len(self.evaluation), observer)
        source, most = self.calibration if self.evaluation is None else self.evaluation, most or CHECKED
        if source is None:
            return None
        return counted(source.some(most, seed), min(most, len(source)), observer)


def first(batches: Iterator[Batch]) -> Batch:
    """The first of `batches`.

    Raises:
        DataError: there is none.
    """
    for batch in batches:
        return batch
    raise DataError("There are no calibration samples. Give at least one; a few hundred are usual.")


def counted(batches: Iterable[Batch], total: int, observer: Observer) -> Iterator[Batch]:
    """The same batches; `observer` is told when each is done."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.samples
        observer.advance(done, total)
