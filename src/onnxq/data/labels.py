"""Tells labels from inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnxq.core.batch import Array, InputSpec
from onnxq.data.rows import Rows, whole
from onnxq.errors import DataError, near_misses


def split_labels(
    arrays: Mapping[str, Rows], name: str | None, inputs: Sequence[InputSpec]
) -> tuple[Mapping[str, Rows], Array | None]:
    """The arrays that are inputs, and the labels among the others.

    Args:
        arrays: all arrays of an evaluation file.
        name: which array holds the labels; None to take the only array that is no input, if it holds whole numbers.
        inputs: what the model asks for.

    Raises:
        DataError: there is no array of that name, or it holds no class numbers.
    """
    known = {spec.name for spec in inputs}
    others = {n: a for n, a in arrays.items() if n not in known}
    if name is None:
        candidates = [n for n, a in others.items() if a.ndim == 1 and np.issubdtype(a.dtype, np.integer)]
        if len(others) != 1 or not candidates:
            return arrays, None
        name = candidates[0]
    if name not in arrays:
        raise DataError(
            f"There is no array '{name}' for the labels.{near_misses(name, arrays)} Arrays: {', '.join(arrays)}."
        )
    labels = whole(arrays[name])
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"The labels '{name}' must be whole numbers of shape (samples,). Got {labels.dtype} {labels.shape}."
        )
    if labels.size and labels.min() < 0:
        raise DataError(f"The labels '{name}' are class numbers from 0 on. Got {labels.min()}.")
    return {n: a for n, a in arrays.items() if n != name}, labels
