"""The cheapest groups in float, held against trying everything."""

from __future__ import annotations

import sys
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxq.core.group import Group
from onnxq.errors import RecipeError
from onnxq.sensitivity.knapsack import GAP, cheapest
from onnxq.sensitivity.noise import NoiseModel, Origin, cost, decibels, power_of


def group(name: str, macs: int) -> Group:
    return Group(name, "Conv", (name,), (), macs, 0)


def noise_model(costs, origins) -> NoiseModel:
    groups = tuple(group(str(number), macs) for number, macs in enumerate(costs))
    return NoiseModel(groups, tuple(Origin(frozenset(map(str, readers)), np.array(p)) for readers, p in origins))


def spent(model: NoiseModel, floats: frozenset[str]) -> int:
    return sum(cost(group) for group in model.groups if group.name in floats)


@st.composite
def models(draw):
    size = draw(st.integers(1, 6))
    costs = draw(st.lists(st.integers(1, 50), min_size=size, max_size=size))
    readers = st.sets(st.integers(0, size - 1), min_size=1, max_size=3)
    power = st.tuples(*[st.floats(1e-4, 1e-1) for _ in range(2)])
    return noise_model(costs, draw(st.lists(st.tuples(readers, power), min_size=1, max_size=8)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(models(), st.floats(8.0, 45.0))
def test_nothing_cheaper_keeps_the_limit_by_the_model(model, limit):
    found = cheapest(model, limit)
    assert decibels(model.total(found)) >= limit - 1e-4
    names = [group.name for group in model.groups]
    every = map(frozenset, chain.from_iterable(combinations(names, count) for count in range(len(names) + 1)))
    best = min(spent(model, floats) for floats in every if decibels(model.total(floats)) >= limit)
    slack = 2 * GAP * sum(map(cost, model.groups))
    assert spent(model, found) <= best + slack


def test_a_tensor_is_heard_as_long_as_anyone_reads_it():
    model = noise_model([10, 10, 1], [((0, 1), [0.1]), ((2,), [0.01])])
    assert model.total(frozenset("0")) == pytest.approx([0.11])
    assert model.total(frozenset("01")) == pytest.approx([0.01])
    assert cheapest(model, 12.0) == {"0", "1"}


def test_every_output_keeps_the_limit():
    model = noise_model([1, 1], [((0,), [0.1, 0.0]), ((1,), [0.0, 0.1])])
    assert cheapest(model, 20.0) == {"0", "1"}
    assert cheapest(model, 5.0) == frozenset()


def test_noise_is_told_from_decibels():
    assert power_of([10.0, 20.0, float("inf"), float("-inf")]) == pytest.approx([0.1, 0.01, 0.0, 0.0])
    assert decibels(np.array([0.1, 0.01])) == pytest.approx(10.0)


def test_without_scipy_the_install_line_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(RecipeError, match=r"^The search for a budget needs SciPy: pip install 'onnxq\[search\]'\.$"):
        cheapest(noise_model([1], [((0,), [0.1])]), 10.0)
