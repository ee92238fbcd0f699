"""What a kind of data is: how it is recognized, and how it becomes a Source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxq.core.batch import InputSpec, Source
from onnxq.core.preprocess import Preprocess


@dataclass(frozen=True)
class Request:
    """What a source is wanted for.

    Attributes:
        inputs: what the model asks for.
        batch_size: samples per batch where the model leaves it free.
        labels: the name of the array that holds class numbers; None to look for it.
        limit: how many of the samples are used, None for all.
        preprocess: what images go through.
    """

    inputs: Sequence[InputSpec]
    batch_size: int = 32
    labels: str | None = None
    limit: int | None = None
    preprocess: Preprocess | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of data on disk.

    Attributes:
        doc: what it is, for people.
        recognizes: whether a path that exists is of this kind.
        open: reads it as a source; raises DataError.
    """

    doc: str
    recognizes: Callable[[Path], bool]
    open: Callable[[Path, Request], Source]
