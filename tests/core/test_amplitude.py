"""Where numbers are clipped."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.catalog.formats.int8 import INT8
from onnxq.core.amplitude import best_amplitude

RANDOM = np.random.default_rng(5)


def error(values, amplitude):
    return float(((INT8.round_trip(values, np.float64(amplitude / 127)) - values) ** 2).sum())


@pytest.mark.parametrize("power", [1, 2, 3])
def test_it_is_nearly_the_best_of_many(power):
    values = RANDOM.normal(size=20000) ** power
    tried = np.abs(values).max() * np.linspace(0.02, 1.0, 200)
    assert error(values, best_amplitude([values])) < 1.1 * min(error(values, one) for one in tried)


def test_numbers_that_are_even_are_not_clipped():
    values = np.linspace(-3.0, 2.0, 1001)
    assert best_amplitude([values[:100], values[100:]]) == pytest.approx(3.0)


@pytest.mark.parametrize("parts", [[], [np.zeros(4)]])
def test_it_is_0_where_there_is_nothing(parts):
    assert best_amplitude(parts) == 0.0
