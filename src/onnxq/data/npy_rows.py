"""Arrays in npy files, and in the members of npz files, as rows: only those that are asked for are read."""

from __future__ import annotations

import lzma
import math
import tokenize
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from onnxq.core.batch import Array
from onnxq.data.rows import Rows
from onnxq.errors import DataError

_UNREADABLE = (
    *(ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(tokenize.TokenError, SyntaxError),  # numpy parses headers as Python
    RuntimeError,  # zipfile: encrypted, or compressed in an unknown way
)
"""What numpy and zipfile raise for a file that is damaged, encoded in unknown ways, or something else."""

_HEADERS = MappingProxyType({(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0})
"""By the version of the format; 3.0 is for structured arrays only."""

_CUT_OFF = "it was cut off"


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Makes one error of all that reading `what` may raise."""
    try:
        yield
    except _UNREADABLE as cause:
        raise DataError(f"{what} cannot be read: {cause}.") from cause


class NpyRows:
    """An array in a stream, which is kept open for the next samples; see Rows.

    Attributes:
        shape: (samples, ...).
        dtype: of the numbers, in the byte order of this machine.
    """

    def __init__(self, stream: IO[bytes], size: int, what: str) -> None:
        """Reads the header.

        Args:
            stream: begins where the array does, and can seek.
            size: of the stream, in bytes.
            what: what messages call the array.

        Raises:
            DataError: the header is damaged, promises more than there is, or says that there are Python objects.
        """
        self._stream, self._what = stream, what
        weakref.finalize(self, stream.close)
        with readable(what):
            version = npy.read_magic(stream)
            if version not in _HEADERS:
                raise ValueError(f"version {version[0]}.{version[1]} of the npy format is unknown")
            self.shape, self.is_fortran, self._stored = _HEADERS[version](stream)
            self._begin = stream.tell()
            if self._stored.hasobject:
                raise DataError(f"{what} holds Python objects, which are never loaded. Save plain arrays of numbers.")
            if any(axis < 0 for axis in self.shape):
                raise ValueError(f"its shape is {self.shape}")
            if self._begin + self._stored.itemsize * math.prod(self.shape) > size:
                raise EOFError(_CUT_OFF)
        self.dtype: np.dtype[Any] = self._stored.newbyteorder("=")

    @property
    def ndim(self) -> int:
        """See Rows."""
        return len(self.shape)

    def __getitem__(self, numbers: NDArray[np.intp], /) -> Array:
        """See Rows.

        Raises:
            DataError: the file is damaged.
        """
        if not len(numbers):
            return np.empty((0, *self.shape[1:]), self.dtype)
        rising, where = np.unique(numbers, return_inverse=True)
        runs = np.split(rising, np.flatnonzero(np.diff(rising) > 1) + 1)
        return np.concatenate([self._read(int(run[0]), self.shape[1:], len(run)) for run in runs])[where]

    def whole(self) -> Array:
        """All of it at once.

        Raises:
            DataError: the file is damaged.
        """
        content = self._read(0, self.shape[1:], math.prod(self.shape[:1])).ravel()
        return content.reshape(self.shape, order="F") if self.is_fortran else content.reshape(self.shape)

    def _read(self, first: int, sample: tuple[int, ...], count: int) -> Array:
        size = self._stored.itemsize * math.prod(sample)
        with readable(self._what):
            self._stream.seek(self._begin + first * size)
            content = self._stream.read(count * size)
            if len(content) != count * size:
                raise EOFError(_CUT_OFF)
        return np.frombuffer(content, self._stored).reshape(count, *sample).astype(self.dtype, copy=False)


def rows(open_stream: Callable[[], IO[bytes]], size: int, what: str) -> Rows:
    """The array in a stream of `size` bytes; the array itself where its samples do not lie one behind the other.

    Raises:
        DataError: the file is damaged, or holds Python objects.
    """
    with readable(what):
        stream = open_stream()
    found = NpyRows(stream, size, what)
    return found if found.ndim and not found.is_fortran else found.whole()
