"""Whether arrays fit the inputs of a model. Each check raises a DataError that names the array and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from onnxq.core.batch import Array, Batch, InputSpec, is_real
from onnxq.data.rows import Rows
from onnxq.errors import DataError, near_misses


def as_arrays(given: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """What was given as arrays: numbers and nested lists become some."""
    arrays: dict[str, Array] = {}
    for name, value in given.items():
        try:
            arrays[name] = np.asarray(value)
        except ValueError as cause:
            raise DataError(f"What was given for '{name}' makes no array: {cause}.") from cause
    return arrays


def lacks_batch_axis(spec: InputSpec, array: Rows) -> bool:
    """Whether each sample is fed without a batch axis: `array` has one axis more than the input."""
    return spec.shape is not None and array.ndim == len(spec.shape) + 1


def check_names(given: Iterable[str], inputs: Sequence[InputSpec]) -> None:
    """Checks that there is an array for each input, and no other."""
    given, wanted = list(given), [spec.name for spec in inputs]
    for name in wanted:
        if name not in given:
            raise DataError(
                f"There is no array for the model input '{name}'.{near_misses(name, given)} "
                f"Arrays: {', '.join(given) or 'none'}. Inputs: {', '.join(wanted)}."
            )
    for name in given:
        if name not in wanted:
            raise DataError(
                f"The array '{name}' is no input of the model.{near_misses(name, wanted)} Inputs: {', '.join(wanted)}."
            )


def check_array(spec: InputSpec, array: Rows) -> None:
    """Checks an array with samples on its first axis."""
    _check_dtype(spec, array)
    if spec.shape is None or (array.ndim == 0 and not spec.shape):
        return
    sample = array.shape[1:] if array.ndim else ()
    expected = spec.shape if lacks_batch_axis(spec, array) else spec.shape[1:]
    if len(sample) != len(expected) or any(want not in (None, got) for got, want in zip(sample, expected, strict=True)):
        raise DataError(
            f"The array '{spec.name}' has shape {array.shape}, which does not fit the model input of shape "
            f"{_readable(spec.shape)} with samples on the first axis."
        )


def check_fed(spec: InputSpec, array: Array) -> None:
    """Checks an array that is fed as it is."""
    _check_dtype(spec, array)
    shape = spec.shape
    if shape is not None and (
        len(shape) != array.ndim or any(want not in (None, got) for got, want in zip(array.shape, shape, strict=True))
    ):
        raise DataError(f"The array for '{spec.name}' has shape {array.shape}; the model input has {_readable(shape)}.")


def _check_dtype(spec: InputSpec, array: Rows) -> None:
    if spec.dtype and array.dtype.name != spec.dtype:
        raise DataError(
            f"The array '{spec.name}' holds {array.dtype.name}, but the model input is {spec.dtype}. Prepare the data "
            f"as the model was trained (scaled and normalized), then use .astype(np.{spec.dtype})."
        )


def check_values(batch: Batch) -> Batch:
    """The same batch, once all its numbers are known to be finite."""
    for name, array in batch.feeds.items():
        if is_real(array) and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            raise DataError(f"The array '{name}' holds {kind} in {batch.culprit(array)}. Remove that sample.")
    return batch


def _readable(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if d is None else str(d) for d in shape)})"
