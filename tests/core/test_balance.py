"""Units of least noise: slopes are those of the noise, and tiny cases are solved as by trying everything."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.balance import ROUNDING, Shared, Weighted, balanced

RANDOM = np.random.default_rng(3)


def shared(channels=5):
    numbers = RANDOM.uniform(0.1, 2.0, (3, channels))
    classes = np.arange(channels) % 4
    return Shared(classes, numbers[0], numbers[1], np.full(channels, 0.5), numbers[2] * 1e-5)


def weighted(outputs=3, inputs=4, makes=None):
    magnitudes, energies, powers = RANDOM.uniform(0.1, 2.0, (3, outputs, inputs))
    classes = np.tile(np.arange(inputs), (outputs, 1))
    return Weighted(classes, magnitudes, energies * 1e-5, powers, RANDOM.uniform(0.1, 2.0, outputs), makes)


PARTS = {
    "activations": shared,
    "a weight with scales": weighted,
    "a weight with one scale": lambda: weighted(makes=np.array([4, 5, 6])),
    "a class on both sides": lambda: weighted(makes=np.array([0, 1, 1])),
}


def noise(part, logs):
    return part.noise(np.exp(logs), np.zeros(logs.size))


@pytest.mark.parametrize("name", PARTS)
def test_the_slope_is_that_of_the_noise(name):
    part, logs, step = PARTS[name](), RANDOM.normal(0.0, 0.3, 7), 1e-6
    slope = np.zeros(7)
    part.noise(np.exp(logs), slope)
    found = [(noise(part, logs + one) - noise(part, logs - one)) / (2 * step) for one in step * np.eye(7)]
    np.testing.assert_allclose(slope, found, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("name", PARTS)
def test_one_unit_for_everything_changes_nothing(name):
    part = PARTS[name]()
    assert noise(part, np.full(7, 0.7)) == pytest.approx(noise(part, np.zeros(7)), rel=1e-9)


def test_no_more_noise_is_made_of_a_channel_than_there_is_in_it():
    faint = Shared(np.arange(2), np.array([1.0, 1e-6]), np.ones(2), np.ones(2), np.array([1.0, 1e-14]))
    assert noise(faint, np.zeros(2)) == pytest.approx(ROUNDING, rel=1e-3)


def test_activations_alone_are_made_equally_large():
    part = Shared(np.arange(2), np.array([4.0, 1.0]), np.ones(2), np.ones(2), np.full(2, 1e6))
    units = balanced([part], 2, np.array([1]))
    assert units[0] == 1.0
    assert units[1] < 1.0 / 3.0


def test_a_tiny_case_is_solved_as_by_trying_everything():
    parts = [shared(2), weighted(2, 2)]
    tried = np.linspace(-4.0, 4.0, 4001)
    least = min(sum(noise(part, np.array([0.0, log])) for part in parts) for log in tried)
    units = balanced(parts, 2, np.array([1]))
    assert sum(noise(part, np.log(units)) for part in parts) == pytest.approx(least, rel=1e-3)


def test_what_is_not_free_keeps_its_unit():
    assert balanced([shared(4)], 4, np.array([2]))[[0, 1, 3]].tolist() == [1.0, 1.0, 1.0]
