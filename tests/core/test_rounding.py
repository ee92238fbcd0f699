"""Second-order rounding: its own objective, against what is nearest and against the best there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from onnxq.core.rounding import damped, error, nearest, second_order, settled

MOST = 127


def problem(seed, groups=2, rows=5, columns=12, places=60):
    draw = np.random.default_rng(seed)
    mixed = draw.standard_normal((groups, places, columns)) @ draw.standard_normal((groups, columns, columns))
    weight = draw.standard_normal((groups, rows, columns))
    steps = np.abs(weight).max(axis=2, keepdims=True) / 7
    return weight, damped(np.swapaxes(mixed, 1, 2) @ mixed / places), steps


@pytest.mark.parametrize("seed", range(20))
def test_it_is_never_worse_than_the_nearest_codes(seed):
    weight, moment, steps = problem(seed)
    near = error(nearest(weight, steps, MOST) * steps - weight, moment)
    found = error(second_order(weight, moment, steps, MOST) * steps - weight, moment)
    assert np.all(found <= near * (1 + 1e-12))
    assert found.sum() < 0.7 * near.sum()


def test_it_is_close_to_the_best_there_is():
    """Found by trying all codes within one of the nearest: 3 to the 6th of them."""
    shares = []
    for seed in range(20):
        weight, moment, steps = problem(seed, groups=1, rows=1, columns=6)
        near = nearest(weight, steps, MOST)
        around = np.array(list(product((-1, 0, 1), repeat=6)))[:, None, None, :] + near
        best = min(float(error(codes * steps - weight, moment)[0, 0]) for codes in around)
        found = float(error(second_order(weight, moment, steps, MOST) * steps - weight, moment)[0, 0])
        plain = float(error(near * steps - weight, moment)[0, 0])
        shares.append((found - best) / (plain - best) if plain > best else 0.0)
    assert np.mean(shares) < 0.2


def test_uncorrelated_columns_have_nothing_to_make_good():
    weight, _, steps = problem(0)
    moment = np.broadcast_to(np.eye(12), (2, 12, 12))
    np.testing.assert_array_equal(second_order(weight, moment, steps, MOST), nearest(weight, steps, MOST))


def test_codes_keep_their_limit():
    weight, moment, steps = problem(0)
    assert np.abs(second_order(weight * 4, moment, steps, 7)).max() == 7


def test_in_what_has_settled_no_single_code_can_be_better():
    weight, moment, steps = problem(3)
    codes = settled(nearest(weight, steps, MOST), weight, moment, steps, MOST)
    least = error(codes * steps - weight, moment)
    for column in range(12):
        for by in (-1, 1):
            changed = codes.copy()
            changed[:, :, column] += by
            assert np.all(error(changed * steps - weight, moment) >= least - 1e-12)


def test_many_columns_are_worked_on_in_blocks():
    """The blocks are only a way to be fast: beyond 64 columns the objective is as good."""
    weight, moment, steps = problem(1, groups=1, rows=3, columns=150, places=600)
    near = error(nearest(weight, steps, MOST) * steps - weight, moment).sum()
    assert error(second_order(weight, moment, steps, MOST) * steps - weight, moment).sum() < 0.5 * near


def test_a_dead_column_does_no_harm():
    weight, moment, steps = problem(2)
    moment[:, 4, :] = moment[:, :, 4] = 0.0
    assert np.all(np.isfinite(second_order(weight, damped(moment), steps, MOST)))
