"""Ctrl-C while Python imports.

KeyboardInterrupt must not be raised there: a package in C++ that is being initialized turns it into an ImportError
(pybind11) or ends the process with a core dump (nanobind). As nothing has begun yet, the process can end on the spot.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of a shell command that Ctrl-C ended."""

NOTHING = "interrupted; nothing was written"


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Within the block Ctrl-C says that nothing was written, and ends the process."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # another handler is somebody's choice, as a shell's is for jobs behind &; other threads see no signals
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as the signal module calls it
    os.write(2, f"{NOTHING}\n".encode())
    os._exit(INTERRUPTED)
