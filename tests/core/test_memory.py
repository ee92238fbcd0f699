"""What was found is not worked out again, unless something is different."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core import journal
from onnxq.core.batch import Batch
from onnxq.core.digest import digest
from onnxq.core.journal import Journal
from onnxq.core.memory import Memory

FIRST = Batch({"x": np.zeros((1, 2))}, 1, ("one",))
TASK = ("a task", np.arange(3))


class Work:
    """Counts how often it is done."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return {"number": np.array(self.times)}


@pytest.fixture
def work():
    return Work()


def opened(begun=None, keep=None):
    memory = Memory(lambda model, first: Journal(begun, keep))
    memory.open("model", FIRST)
    return memory


def test_the_same_task_is_done_once(work):
    memory = opened()
    assert [int(memory.recall(TASK, work)["number"]) for _ in range(3)] == [1, 1, 1]


def test_another_is_done(work):
    memory = opened()
    memory.recall(TASK, work)
    memory.recall(("a task", np.arange(4)), work)
    assert work.times == 2


def test_that_nothing_came_of_it_is_remembered_too(work):
    memory = opened()
    assert memory.recall(TASK, dict) == memory.recall(TASK, work) == {}


def test_what_was_found_before_is_known(work):
    begun = {digest(TASK): {"number": np.array(7)}}
    assert int(opened(begun).recall(TASK, work)["number"]) == 7
    assert (work.times, list(begun)) == (0, [digest(TASK)])


@pytest.mark.parametrize("memory", [Memory(), Memory(lambda model, first: Journal())], ids=["none", "not opened"])
def test_without_a_journal_nothing_is(memory, work):
    memory.recall(TASK, work)
    memory.recall(object(), work)  # nor looked at
    assert work.times == 2


def test_it_is_kept_when_an_entry_is_due(work, monkeypatch):
    kept = []
    memory = opened(keep=lambda results: kept.append(dict(results)))
    memory.recall(TASK, work)
    assert kept == []
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    memory = opened({"before": {}}, lambda results: kept.append(dict(results)))
    memory.recall(TASK, work)
    assert [list(results) for results in kept] == [["before", digest(TASK)]]


def test_it_is_of_one_model():
    asked = []
    memory = Memory(lambda *of: asked.append(of) or Journal())
    memory.open("model", FIRST)
    memory.open("model", FIRST)
    assert asked == [("model", FIRST)]
