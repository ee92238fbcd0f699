"""A front: what it holds at each place, and what it runs to get there."""

from __future__ import annotations

import numpy as np
from tests.sketch import sketch

from onnxq.core.batch import Batch
from onnxq.core.front import MEMORY, Front, few_enough

TEXT = """
    a = Relu(x)
    b = Add(a, x)
    c = Mul(b, k[2])
    d = Sub(c, a)
"""
VIEW = sketch(TEXT)
FEEDS = ({"x": np.array([1.0, -2.0], np.float32)}, {"x": np.array([3.0, 4.0], np.float32)})
DOES = {
    "Relu": lambda x: np.maximum(x, 0),
    "Add": np.add,
    "Mul": np.multiply,
    "Sub": np.subtract,
}


class Lab:
    """Runs pieces with numpy, and notes which nodes."""

    def __init__(self):
        self.ran = []

    def __call__(self, view, scales, tensors):
        self.ran.append([node.name for node in view.nodes])

        def run(feeds):
            values = {**view.constants, **feeds}
            assert set(feeds) == set(view.inputs)
            for node in view.nodes:
                values[node.outputs[0]] = DOES[node.op](*(values[name] for name in node.inputs))
            return {name: values[name] for name in tensors}

        return run


def test_it_holds_what_is_read_in_front_of_it():
    front = Front(Lab(), FEEDS)
    held = []
    for place in range(5):
        front.advance(VIEW, None, place)
        held.append(sorted(front.values[0]))
    assert held == [["x"], ["a", "x"], ["a", "b"], ["a", "c"], ["d"]]
    np.testing.assert_array_equal(front.values[1]["d"], [3.0, 4.0])


def test_each_node_is_run_once():
    lab = Lab()
    front = Front(lab, FEEDS)
    for place in (1, 3, 3, 4):
        front.advance(VIEW, None, place)
    assert lab.ran == [["a"], ["b", "c"], ["d"]]


def test_it_does_not_go_back():
    front = Front(Lab(), FEEDS)
    front.advance(VIEW, None, 4)
    front.advance(VIEW, None, 1)
    assert sorted(front.values[0]) == ["d"]


def test_what_was_changed_in_front_of_it_counts():
    front = Front(Lab(), FEEDS)
    front.advance(VIEW, None, 2)
    front.advance(sketch(TEXT.replace("Mul", "Add")), None, 4)
    np.testing.assert_array_equal(front.values[0]["d"], np.array([2.0, -2.0]) + 1 - [1.0, 0.0])


def test_scalars_stay_arrays():
    """Some runtimes return them as numbers, and take them as arrays alone."""
    front = Front(lambda view, scales, tensors: lambda feeds: {"a": np.int64(3)}, FEEDS)
    front.advance(VIEW, None, 1)
    assert isinstance(front.values[0]["a"], np.ndarray)


class Samples:
    """Batches of four."""

    def batches(self, start=0):
        return (Batch({"x": np.full(4, number)}, 4, ("x",)) for number in range(5))


def test_of_many_samples_as_many_are_taken_as_there_is_memory_for():
    wide = sketch("a = Relu(x)", {"a": (None, MEMORY // 40)})
    assert len(few_enough(Samples(), wide)) == 2
    assert len(few_enough(Samples(), VIEW)) == 5


def test_the_first_batch_is_always_taken():
    assert len(few_enough(Samples(), sketch("a = Relu(x)", {"a": (None, MEMORY)}))) == 1
