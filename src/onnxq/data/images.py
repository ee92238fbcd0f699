"""A folder of images, the only input of a model.

All files with the suffix of an image count, in all subfolders, in the order of their paths; hidden files and folders
do not, nor do links to folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from onnxq.catalog.presets import PRESETS
from onnxq.core.batch import Batch, InputSpec, Source
from onnxq.core.preprocess import Preprocess
from onnxq.data.arrays import ArraySource
from onnxq.data.image_fit import check_batch, check_fit, sample_dtype
from onnxq.data.kind import Kind, Request
from onnxq.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class OneByOne:
    """Samples that differ in size, each fed alone."""

    samples: ArraySource

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """See Source."""
        return self.samples.batches(start)

    def rebatched(self, size: int) -> OneByOne:  # noqa: ARG002 - samples of different sizes make no batch
        """See Source."""
        return self

    def some(self, samples: int, seed: int) -> Iterator[Batch]:
        """See Source."""
        return self.samples.some(samples, seed)

    @property
    def is_stream(self) -> bool:
        """See Source."""
        return False

    def __len__(self) -> int:
        return len(self.samples)


def image_names(folder: Path) -> Iterator[str]:
    """The paths of the images in `folder`, relative to it, with "/" on all systems.

    Raises:
        DataError: a folder cannot be read.
    """
    for here, folders, files in os.walk(folder, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(here, name).relative_to(folder).as_posix()


def _recognizes(path: Path) -> bool:
    return path.is_dir() and next(image_names(path), None) is not None


def _open(path: Path, request: Request) -> Source:
    spec = _only_input(path, request)
    preprocess = _preprocess(path, request)
    dtype = sample_dtype(spec, preprocess)
    try:
        from onnxq.data.image_rows import ImageRows, sample_shapes  # noqa: PLC0415 - Pillow is an extra
    except ImportError as cause:
        raise DataError(f"Images need Pillow: pip install 'onnxq[images]'. ({cause})") from cause
    names = tuple(sorted(image_names(path))[: request.limit])
    shapes = sample_shapes(path, names, preprocess)
    firsts: dict[tuple[int, ...], Path] = {}  # of each shape
    for name, shape in zip(names, shapes, strict=True):
        firsts.setdefault(shape, path / name)
    for shape, image in firsts.items():
        check_fit(image, shape, spec, preprocess)
    rows = ImageRows(path, names, preprocess, shapes[0], dtype)
    source = ArraySource(
        {spec.name: rows}, request.inputs, request.batch_size, namer=lambda number: f"image '{names[number]}'"
    )
    if len(firsts) == 1:
        return source
    check_batch(spec, firsts)
    return OneByOne(source.rebatched(1))


def _only_input(path: Path, request: Request) -> InputSpec:
    if len(request.inputs) != 1:
        names = ", ".join(f"'{spec.name}'" for spec in request.inputs) or "none"
        raise DataError(
            f"The images in '{path}' are for models with one input. This one has {len(request.inputs)}: {names}. "
            "Give an npz file of arrays named after the inputs."
        )
    if request.labels:
        raise DataError(f"The images in '{path}' have no labels '{request.labels}'. Give an npz file with both.")
    return request.inputs[0]


def _preprocess(path: Path, request: Request) -> Preprocess:
    if request.preprocess is None:
        raise DataError(
            f"What do the images in '{path}' go through? That is not guessed. Give --preprocess with a preset "
            f"({', '.join(preset.name for preset in PRESETS)}), a YAML file, or keys such as resize=224x224 "
            "scale=1/255; in Python, Samples(path, preprocess)."
        )
    return request.preprocess


def _refuse_folder(cause: OSError) -> NoReturn:
    raise DataError(f"The folder '{cause.filename}' cannot be read: {cause.strerror}.") from cause


IMAGES = Kind(f"a folder of images ({', '.join(SUFFIXES)})", _recognizes, _open)
