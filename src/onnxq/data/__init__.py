"""Edge to what users keep their inputs in: one file per kind, an explicit tuple of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from onnxq.core.batch import Source
from onnxq.core.samples import Data, Samples
from onnxq.data.array_folder import ARRAY_FOLDER
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.data.fit import as_arrays
from onnxq.data.images import IMAGES
from onnxq.data.kind import Kind, Request
from onnxq.data.labels import split_labels
from onnxq.data.loader_script import LOADER_SCRIPT
from onnxq.data.npz import NPZ
from onnxq.data.polygraphy_json import POLYGRAPHY_JSON
from onnxq.data.tensor_folder import TENSOR_FOLDER
from onnxq.errors import DataError

KINDS: tuple[Kind, ...] = (LOADER_SCRIPT, TENSOR_FOLDER, ARRAY_FOLDER, IMAGES, POLYGRAPHY_JSON, NPZ)
"""The last one takes any file: it says best what is wrong with one."""


def source(data: Data | Samples, request: Request) -> Source:
    """The source that fits `data`.

    Raises:
        DataError: the data cannot be read, or do not fit the inputs.
    """
    samples = Samples.of(data)
    request = replace(request, limit=samples.first, preprocess=samples.preprocess)
    given = samples.data
    if isinstance(given, str | Path):
        kind = _kind(Path(given))
        _check_preprocess(request, f"'{given}' is {kind.doc}", kind is IMAGES)
        return kind.open(Path(given), request)
    _check_preprocess(request, "These are arrays", False)
    if isinstance(given, Mapping):
        arrays, labels = split_labels(as_arrays(given), request.labels, request.inputs)
        return ArraySource(arrays, request.inputs, request.batch_size, labels, request.limit)
    if callable(given) or isinstance(given, Iterable):
        return FeedSource(given, request.inputs, request.limit)
    raise DataError(f"Data are a path, arrays by input name, or feed dicts. Got {type(given).__name__}.")


def _check_preprocess(request: Request, what: str, images: bool) -> None:
    if request.preprocess and not images:
        raise DataError(f"{what}, but only images in a folder are preprocessed. Leave out --preprocess.")


def _kind(path: Path) -> Kind:
    for kind in KINDS:
        if kind.recognizes(path):
            return kind
    if not path.exists():
        raise DataError(f"There is no file '{path}'.")
    raise DataError(f"'{path}' is none of: {'; '.join(kind.doc for kind in KINDS)}.")
