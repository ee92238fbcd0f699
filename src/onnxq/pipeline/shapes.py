"""Which shapes an engine is built for, where the model leaves them free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx

from onnxq import onnx_io
from onnxq.core.batch import InputSpec
from onnxq.core.build_options import Profile
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import RecipeError

BATCHES = (1, 8, 32)
"""The smallest, usual and largest batch, where neither the model nor anybody says more."""

Sizes = tuple[int, int, int]


def profiles(model: onnx.ModelProto, given: Mapping[str, Profile], calib: Samples | None) -> dict[str, Profile]:
    """Profiles of all inputs with free dimensions: as given, else from the samples, else batches of `BATCHES`.

    An axis is the batch's if it is the first, or is called as a first one is: all inputs then grow together.

    Raises:
        RecipeError: a free dimension has no size.
        DataError: the samples cannot be read, or do not fit the model.
    """
    inputs = onnx_io.inputs(model)
    free = [spec for spec in inputs if spec.shape is not None and None in spec.shape and spec.name not in given]
    names = onnx_io.dimension_names(model)
    batch = {names[spec.name][0] for spec in inputs if spec.shape and spec.shape[0] is None} - {""}
    seen = _seen(inputs, calib) if free else {}

    def sizes(spec: InputSpec, axis: int, size: int | None) -> Sizes:
        if size is not None:
            return (size, size, size)
        found = seen.get((spec.name, axis))
        if not axis or names[spec.name][axis] in batch:
            return (*BATCHES[:2], max(BATCHES[2], *(found or (1,))))
        if found is None:
            raise RecipeError(
                f"Axis {axis} of the input '{spec.name}' has no size in the model. Give --shapes "
                f"{spec.name}:MIN:OPT:MAX, or samples with --calib."
            )
        return (min(found), max(found, key=lambda size: (found[size], size)), max(found))

    def profile(spec: InputSpec) -> Profile:
        axes = [sizes(spec, axis, size) for axis, size in enumerate(spec.shape or ())]
        low, best, high = zip(*axes, strict=True)
        return Profile(low, best, high)

    return dict(given) | {spec.name: profile(spec) for spec in free}


def _seen(inputs: tuple[InputSpec, ...], calib: Samples | None) -> dict[tuple[str, int], Counter[int]]:
    """How often each input has each size along each of its axes."""
    found: dict[tuple[str, int], Counter[int]] = {}
    for name, shape in _shapes(inputs, calib):
        for axis, size in enumerate(shape):
            found.setdefault((name, axis), Counter())[size] += 1
    return found


def _shapes(inputs: tuple[InputSpec, ...], calib: Samples | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    if calib is not None:
        for batch in source(calib, Request(inputs, 1)).batches():
            yield from ((name, array.shape) for name, array in batch.feeds.items())
