"""AdaRound: against the best there is on tiny layers, and its gradient against finite differences."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from onnxq.core.soft_rounding import Problem, hardened, rounded, softened, turned


def problem(seed, rows=1, columns=7, low=-np.inf, high=np.inf):
    draw = np.random.default_rng(seed)
    patches = draw.standard_normal((1, 300, columns)) @ draw.standard_normal((1, columns, columns))
    weight = draw.standard_normal((1, rows, columns))
    steps = np.abs(weight).max(axis=2, keepdims=True) / 7
    added = draw.standard_normal((1, 300, rows))
    wanted = patches @ np.swapaxes(weight, 1, 2) + added
    arrays = (one.astype(np.float32) for one in (weight, steps))
    rest = (one.astype(np.float32) for one in (patches, added, wanted))
    return Problem(*arrays, 127, *rest, low, high)


def best(found):
    """The least noise of all ways to round up or down: 2 to the 7th."""
    ups = np.array(list(product((0, 1), repeat=found.weight.shape[2])))[:, None, None, :]
    return min(float(found.noise(found.floor + up).sum()) for up in ups)


def nearest(found):
    return np.rint(found.weight / found.steps)


@pytest.mark.parametrize("low", [-np.inf, 0.0], ids=["linear", "relu"])
def test_it_is_close_to_the_best_there_is(low):
    shares = []
    for seed in range(8):
        layer = problem(seed, low=low)
        least, plain = best(layer), float(layer.noise(nearest(layer)).sum())
        found = float(layer.noise(rounded(layer, 300, 128, 0)).sum())
        assert least * (1 - 1e-5) <= found <= plain * (1 + 1e-5)
        shares.append((found - least) / (plain - least) if plain > least else 0.0)
    assert np.mean(shares) < 0.4


def test_what_was_turned_is_no_worse():
    layer = problem(0, rows=4, low=0.0)
    after = turned(layer, nearest(layer), layer.floor)
    assert np.all(layer.noise(after) <= layer.noise(nearest(layer)) * (1 + 1e-6))
    assert layer.noise(after).sum() < 0.8 * layer.noise(nearest(layer)).sum()


def test_each_weight_is_rounded_up_or_down():
    layer = problem(0, rows=4)
    assert set(np.unique(rounded(layer, 100, 64, 0) - layer.floor)) <= {0.0, 1.0}


def test_what_a_relu_cuts_off_does_not_count():
    layer = problem(0, low=0.0)
    sunk = replace(layer, added=layer.added - 1e6, wanted=layer.wanted - 1e6)
    assert not sunk.noise(nearest(sunk) + 1).any()


def test_the_gradient_is_that_of_finite_differences():
    layer = problem(1, rows=3, low=-0.5, high=2.0)
    wide = replace(layer, **{k: v.astype(np.float64) for k, v in vars(layer).items() if isinstance(v, np.ndarray)})
    codes, places, tiny = wide.weight / wide.steps + 0.3, np.arange(300), 1e-6
    along = np.random.default_rng(2).standard_normal(codes.shape)
    _, slope = wide.noise_at(codes, places)
    ahead, behind = (wide.noise(codes + by * along).sum() for by in (tiny, -tiny))
    assert (ahead - behind) / (2 * tiny) == pytest.approx(np.sum(slope * along), rel=1e-4)


def test_shares_survive_the_way_through_the_sigmoid():
    shares = np.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(softened(hardened(shares)), shares)


def test_a_seed_gives_the_same_codes():
    layer = problem(0, rows=4)
    np.testing.assert_array_equal(rounded(layer, 50, 64, 3), rounded(layer, 50, 64, 3))
