"""When to stop."""

from __future__ import annotations

import math

import pytest

from onnxq.core.deadline import NEVER, Deadline, Hurried, TimeUp
from onnxq.core.observer import Silent


class Listener(Silent):
    """Keeps what it is told of progress."""

    def __init__(self) -> None:
        self.told = []

    def advance(self, done, total):
        self.told.append((done, total))


class TestDeadline:
    def test_before_it_nothing_is_stopped(self):
        Deadline.after(1000.0).check()

    def test_after_it_nothing_goes_on(self):
        with pytest.raises(TimeUp):
            Deadline(at=0.0).check()

    def test_an_earlier_one_comes_before_it(self):
        assert Deadline(at=10.0).earlier(3.0) == Deadline(at=7.0)
        assert NEVER.earlier(3.0) == NEVER

    def test_without_seconds_there_is_none(self):
        assert Deadline.after(None) == NEVER
        assert math.inf == NEVER.at


class TestHurried:
    def test_progress_is_told_before_the_time_is_up(self):
        listener = Listener()
        Hurried(listener, NEVER).advance(1, 2)
        assert listener.told == [(1, 2)]

    def test_progress_after_it_stops_who_tells(self):
        listener = Listener()
        with pytest.raises(TimeUp):
            Hurried(listener, Deadline(at=0.0)).advance(1, 2)
        assert listener.told == [(1, 2)]
