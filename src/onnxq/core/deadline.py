"""When to stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from onnxq.core.observer import Observer


class TimeUp(Exception):
    """The time limit has passed."""


@dataclass(frozen=True)
class Deadline:
    """A moment after which nothing new begins.

    Attributes:
        at: by `time.monotonic`.
    """

    at: float = math.inf

    @staticmethod
    def after(seconds: float | None) -> Deadline:
        """So many seconds from now; None for never."""
        return Deadline() if seconds is None else Deadline(time.monotonic() + seconds)

    def earlier(self, seconds: float) -> Deadline:
        """So many seconds before."""
        return Deadline(self.at - seconds)

    def check(self) -> None:
        """Lets nothing go on once the time is up.

        Raises:
            TimeUp: it is.
        """
        if time.monotonic() > self.at:
            raise TimeUp


NEVER = Deadline()


@dataclass(frozen=True)
class Hurried:
    """An observer that stops whatever tells it of progress once the time is up.

    Attributes:
        observer: is told all the same.
        deadline: when the time is up.
    """

    observer: Observer
    deadline: Deadline

    def begin(self, stage: str) -> None:
        """See Observer."""
        self.observer.begin(stage)

    def advance(self, done: int, total: int) -> None:
        """See Observer.

        Raises:
            TimeUp: the time is up.
        """
        self.observer.advance(done, total)
        self.deadline.check()

    def note(self, text: str) -> None:
        """See Observer."""
        self.observer.note(text)

    def detail(self, text: str) -> None:
        """See Observer."""
        self.observer.detail(text)
