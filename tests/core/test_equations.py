"""Unknown numbers of which some are sums of others."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.equations import Equations


def equations(*columns):
    return Equations(np.array(columns, np.int64).reshape(-1, 3).T)


def test_number_0_is_0_and_nothing_else_is_known():
    assert equations((3, 1, 2)).values == {0: 0.0}


def test_a_sum_follows_from_its_operands():
    found = equations((3, 1, 2))
    assert found.wish(1, 0.5)
    assert 3 not in found.values
    assert found.wish(2, 2.0)
    assert found.values == {0: 0.0, 1: 0.5, 2: 2.0, 3: 2.5}


def test_an_operand_follows_from_the_sum_and_the_other_one():
    found = equations((3, 1, 2))
    found.wish(3, 1.0)
    found.wish(1, 0.25)
    assert found.values[2] == 0.75


def test_what_follows_has_consequences_of_its_own():
    found = equations((2, 1, 1), (3, 2, 1), (4, 3, 0))
    found.wish(4, 6.0)
    assert found.values == {0: 0.0, 1: 2.0, 2: 4.0, 3: 6.0, 4: 6.0}


def test_a_number_that_is_added_and_stays_the_same_is_added_to_0():
    assert equations((1, 1, 2)).values == {0: 0.0, 2: 0.0}


def test_a_wish_that_contradicts_is_refused_and_changes_nothing():
    found = equations((3, 1, 2))
    found.wish(1, 1.0)
    found.wish(2, 1.0)
    before = dict(found.values)
    assert not found.wish(3, 1.0)
    assert not found.wish(0, 1.0)
    assert found.values == before
    assert found.wish(3, 2.0 + 1e-9)
    assert found.values == before


def test_a_contradiction_between_two_equal_sums_is_seen_before_their_operands_are_known():
    found = equations((3, 1, 2), (4, 2, 1))
    assert found.wish(3, 1.0)
    assert found.values == {0: 0.0, 3: 1.0, 4: 1.0}
    assert not found.wish(4, 2.0)


def test_a_circle_of_sums_leaves_one_answer():
    found = equations((9, 1, 2), (9, 2, 3), (9, 3, 1))
    assert found.wish(9, 3.0)
    assert [found.values[member] for member in (1, 2, 3)] == pytest.approx([1.5, 1.5, 1.5])
    assert not found.wish(1, 1.0)


def test_what_nobody_wished_for_becomes_0_where_it_may():
    found = equations((3, 1, 2), (6, 4, 5))
    found.wish(3, 1.0)
    found.settle()
    assert found.values == {0: 0.0, 1: 0.0, 2: 1.0, 3: 1.0, 4: 0.0, 5: 0.0, 6: 0.0}


def test_without_sums_every_wish_is_given():
    found = equations()
    assert found.wish(7, -3.0)
    assert not found.wish(7, 3.0)
    found.settle()
    assert found.values == {0: 0.0, 7: -3.0}


@pytest.mark.parametrize("seed", range(20))
def test_all_sums_hold_whatever_is_wished_for(seed):
    rng = np.random.default_rng(seed)
    sums = rng.integers(0, 30, (3, 25))
    found = Equations(sums)
    given = {member: value for member in range(30) if found.wish(member, value := float(rng.normal()))}
    found.settle()
    values = np.array([found.values.get(member, 0.0) for member in range(30)])
    np.testing.assert_allclose(values[sums[0]], values[sums[1]] + values[sums[2]], atol=1e-9)
    assert all(values[member] == pytest.approx(value) for member, value in given.items())
