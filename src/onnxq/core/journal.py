"""What survives when long work is interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

Entry = TypeVar("Entry")

PAUSE = 1.0
"""Seconds between two entries, at least."""

SHARE = 0.02
"""Of the time, at most, goes into writing entries."""


class Journal(Generic[Entry]):
    """What was found before, and now and then an entry of what is found now.

    Attributes:
        begun: what an interrupted run had found; None to begin anew.
    """

    def __init__(self, begun: Entry | None = None, keep: Callable[[Entry], None] | None = None) -> None:
        """Starts the clock.

        Args:
            begun: what an interrupted run had found.
            keep: stores an entry; None to keep none.
        """
        self.begun = begun
        self._keep = keep
        self._next = time.monotonic() + PAUSE

    @property
    def is_due(self) -> bool:
        """Whether it is time for an entry."""
        return self._keep is not None and time.monotonic() >= self._next

    def write(self, entry: Entry) -> None:
        """Makes an entry."""
        if self._keep is None:
            return
        start = time.monotonic()
        self._keep(entry)
        end = time.monotonic()
        self._next = end + max(PAUSE, (end - start) / SHARE)
