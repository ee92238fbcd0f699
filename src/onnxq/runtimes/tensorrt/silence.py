"""Keeps standard output to what onnxq prints: TensorRT's compiler writes warnings there, past its own logger."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OUTPUT = 1
"""The number of standard output."""


@contextmanager
def silenced() -> Iterator[None]:
    """What is written to standard output in this block is lost, unless Python's own buffer still holds it."""
    try:
        kept = os.dup(OUTPUT)
    except OSError:  # there is no standard output
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, OUTPUT)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError, TypeError):  # no C library that can be asked: Windows
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, OUTPUT)
        os.close(nowhere)
        os.close(kept)
