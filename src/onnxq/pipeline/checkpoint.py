"""The unfinished file beside one that is being made, and what it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from onnxq import __version__, files
from onnxq.core.batch import Batch, hashed
from onnxq.core.journal import Journal
from onnxq.core.memory import Memory, Results
from onnxq.core.memory_npz import npz_from_results, results_from_npz
from onnxq.errors import DataError

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Record(Generic[Entry]):
    """How the entries of a journal are written.

    Attributes:
        bytes_of: (what it was made from, entry) -> the content of a file.
        read: (path of such a file) -> both.
    """

    bytes_of: Callable[[str, Entry], bytes]
    read: Callable[[Path], tuple[str, Entry]]


class Checkpoint:
    """An unfinished file, and whether to go on from it.

    Attributes:
        path: of the unfinished file.
        is_kept: whether it has what this run found, or goes on from.
    """

    def __init__(self, target: Path, resume: bool) -> None:
        """Nothing is read or written yet.

        Args:
            target: where the finished file goes.
            resume: whether to go on from an unfinished file, if there is one.
        """
        self.path = target.with_name(f"{target.name}.partial")
        self.is_kept = False
        self._resume = resume

    def journal(self, record: Record[Entry], model: str, first: Batch, settings: str = "") -> Journal[Entry]:
        """What was found before, and where to keep what is found now.

        Args:
            record: how entries are written.
            model: what tells the model from others.
            first: the first batch of the samples, by which they are told from others.
            settings: what tells all else that matters from other settings, without spaces.

        Raises:
            DataError: the unfinished file belongs to another model, to other samples, or to other settings.
        """
        origin = f"{model} {hashed(next(first.split()))} {settings}".rstrip()

        def keep(entry: Entry) -> None:
            files.write(self.path, record.bytes_of(origin, entry))
            self.is_kept = True

        if not (self._resume and self.path.exists()):
            return Journal(keep=keep)
        before, begun = record.read(self.path)
        if before != origin:
            raise DataError(
                f"'{self.path}' was begun with {_difference(before, origin)}: it cannot be resumed. Leave out --resume "
                "to start again."
            )
        self.is_kept = True
        return Journal(begun, keep)

    @property
    def memory(self) -> Memory:
        """Of what fixes find: for an Execution."""
        return Memory(partial(self.journal, _RESULTS, settings=f"{__version__}/{np.__version__}"))

    def remove(self) -> None:
        """The file is finished."""
        self.path.unlink(missing_ok=True)


def _difference(before: str, now: str) -> str:
    for what, one, other in zip(_PARTS, before.split(), now.split(), strict=False):
        if one != other:
            return what
    return _PARTS[-1]


def _read(path: Path) -> tuple[str, Results]:
    try:
        return results_from_npz(path.read_bytes(), str(path))
    except OSError as cause:
        raise DataError(f"'{path}' cannot be resumed: {cause.strerror}. Leave out --resume to start again.") from cause


_RESULTS = Record(npz_from_results, _read)
"""Results of fixes."""

_PARTS = (
    "another model",
    "other samples, or with samples prepared in another way",
    "other settings, or another version of onnxq or NumPy",
)
