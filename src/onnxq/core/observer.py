"""Who is told how far the work has come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Observer(Protocol):
    """Told of every stage, and within a stage of every step."""

    def begin(self, stage: str) -> None:
        """`stage` starts."""

    def advance(self, done: int, total: int) -> None:
        """`done` samples of `total` are through; `total` is 0 if nobody knows."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def detail(self, text: str) -> None:
        """Something for those who want to know all."""


class Silent:
    """Keeps it to itself."""

    def begin(self, stage: str) -> None:
        """See Observer."""

    def advance(self, done: int, total: int) -> None:
        """See Observer."""

    def note(self, text: str) -> None:
        """See Observer."""

    def detail(self, text: str) -> None:
        """See Observer."""


class Clock:
    """Times the stages, and tells an observer of them.

    Attributes:
        seconds: wall time by stage.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block is the stage `name`."""
        self.observer.begin(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
