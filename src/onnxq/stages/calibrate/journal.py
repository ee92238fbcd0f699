"""What survives when a calibration is interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from onnxq.core.statistics import TensorStatistics
from onnxq.core.tally import Tally

Keep = Callable[[Mapping[str, TensorStatistics]], None]

PAUSE = 1.0
"""Seconds between two entries, at least."""

SHARE = 0.02
"""Of the time, at most, goes into writing entries."""


class Journal:
    """What was counted before, and now and then an entry of what is counted now.

    Attributes:
        begun: what an earlier run counted, by tensor.
    """

    def __init__(self, begun: Mapping[str, TensorStatistics] | None = None, keep: Keep | None = None) -> None:
        """Starts the clock.

        Args:
            begun: what an earlier run counted; each tensor goes on after the samples that it has.
            keep: stores an entry; None to keep none.
        """
        self.begun = begun or {}
        self._keep = keep
        self._next = time.monotonic() + PAUSE

    @property
    def is_due(self) -> bool:
        """Whether it is time for an entry."""
        return self._keep is not None and time.monotonic() >= self._next

    def write(self, tallies: Mapping[str, Tally]) -> None:
        """Makes an entry; all tallies of one pass must stand at the same sample."""
        if self._keep is None:
            return
        start = time.monotonic()
        self._keep({name: tally.measured() for name, tally in tallies.items()})
        end = time.monotonic()
        self._next = end + max(PAUSE, (end - start) / SHARE)
