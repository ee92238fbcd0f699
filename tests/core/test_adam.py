"""Adam: its first step, and where it gets."""

from __future__ import annotations

import numpy as np

from onnxq.core.adam import Adam


def test_the_first_step_has_the_size_of_its_rate_whatever_the_gradient():
    adam = Adam({"x": np.zeros(3)})
    np.testing.assert_allclose(adam.steps({"x": np.array([1e-3, -5.0, 2e4])})["x"], [1, -1, 1], rtol=1e-6)


def test_it_finds_the_bottom_of_a_bowl():
    x = np.array([3.0, -2.0])
    adam = Adam({"x": x})
    for number in range(400):
        x = x - 0.1 * (1 - number / 400) * adam.steps({"x": 2 * (x - [1.0, 0.5])})["x"]
    np.testing.assert_allclose(x, [1.0, 0.5], atol=1e-2)


def test_what_it_remembers_is_its_own():
    start = {"x": np.ones(2)}
    adam = Adam(start)
    adam.steps({"x": np.ones(2)})
    np.testing.assert_array_equal(start["x"], 1.0)
