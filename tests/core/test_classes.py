"""Numbers that are found to be equal."""

from __future__ import annotations

import numpy as np

from onnxq.core.classes import Classes


def test_at_first_each_is_alone():
    classes = Classes()
    classes.grow(3)
    assert classes.roots().tolist() == [0, 1, 2]


def test_growing_to_less_than_there_is_changes_nothing():
    classes = Classes()
    classes.grow(3)
    classes.grow(2)
    assert classes.roots().tolist() == [0, 1, 2]


def test_the_smallest_member_speaks_for_its_class_whatever_the_order():
    classes = Classes()
    classes.grow(6)
    classes.join(np.array([5]), np.array([4]))
    classes.join(np.array([4]), np.array([2]))
    assert classes.roots().tolist() == [0, 1, 2, 3, 2, 2]


def test_arrays_are_joined_place_by_place_as_they_broadcast():
    classes = Classes()
    classes.grow(7)
    classes.join(np.array([[1], [2]]), np.array([[3, 4]]))
    classes.join(np.array([5, 6]), 0)
    assert classes.roots().tolist() == [0, 1, 1, 1, 1, 0, 0]


def test_all_members_of_an_array_may_be_united():
    classes = Classes()
    classes.grow(5)
    classes.unite(np.array([[2, 3], [4, 2]]))
    classes.unite(np.zeros((0, 2), np.int64))
    assert classes.roots().tolist() == [0, 1, 2, 2, 2]
