"""The entropy search against a plain loop over its definition.

Migacz 2017, "8-bit inference with TensorRT"; pytorch-quantization, calib/histogram.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.catalog.calibrators.entropy import MERGED, SAME, Entropy, divergences
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.tally import measured as of

LEVELS = 128


def divergence(counts, kept, levels):
    """KL(P || Q) of keeping the first `kept` bins, bin by bin."""
    p = counts[:kept].copy()
    p[-1] += counts[kept:].sum()
    borders = np.linspace(0, kept, levels + 1)
    group = np.digitize(np.arange(kept), borders) - 1
    q = np.zeros(kept)
    for level in range(levels):
        members = np.flatnonzero((group == level) & (counts[:kept] > 0))
        if members.size:
            q[members] = counts[members].sum() / members.size
    if not q.any():
        return np.inf
    p, q = p / p.sum(), q / q.sum()
    if np.any((p > 0) & (q == 0)):
        return np.inf
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def reference(counts, levels):
    return np.array([divergence(counts, kept, levels) for kept in range(levels, len(counts) + 1)])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(arrays.arrays(np.float64, st.integers(4, 40), elements=st.integers(0, 9)), st.sampled_from([1, 2, 3, 4]))
def test_divergences_are_those_of_the_definition(counts, levels):
    assume(counts[-1] > 0)  # as in all statistics: the largest value lies in the last bin
    np.testing.assert_allclose(divergences(counts, levels), reference(counts, levels), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["normal", "relu", "lognormal", "outlier"])
def test_the_search_finds_what_the_plain_loop_over_the_values_finds(name, distributions):
    """TensorRT's search: 128 groups, the first bin replaced by the second, the last of equal minima."""
    measured = of(distributions[name])
    counts = np.bincount((np.abs(distributions[name]) / (measured.width * MERGED)).astype(int)).astype(float)
    counts[0] = counts[1]
    costs = reference(counts, LEVELS)
    best = LEVELS + int(np.flatnonzero(costs <= costs.min() + SAME)[-1])
    assert Entropy().choose(measured, INT8).amplitude == measured.clipped(measured.width * MERGED * best).amplitude


def test_the_zeros_of_a_relu_change_nothing(smooth):
    values, _ = smooth
    values = np.maximum(np.abs(values), np.abs(values).max() / 1000)  # so that the first bin holds the added zeros only
    plain, padded = (of(x) for x in (values, np.append(values, np.zeros(10**6))))
    assert Entropy().choose(plain, INT8) == Entropy().choose(padded, INT8)


def test_a_long_thin_tail_is_clipped():
    values = np.append(np.random.default_rng(0).normal(size=100_000), np.linspace(10, 100, 10))
    assert Entropy().choose(of(values), INT8).amplitude < 20


@pytest.mark.parametrize("levels", range(2, 17))
def test_values_on_few_levels_are_not_clipped(levels):
    """Q is P for every range that holds them all: among equals, the widest is taken."""
    values = np.random.default_rng(0).integers(0, levels, 10_000) / (levels - 1)
    assert Entropy().choose(of(values), INT8).amplitude == 1.0
