"""Which numbers codes should cover that may lie anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.span import span
from onnxq.core.tally import measured


def test_evenly_spread_numbers_are_all_kept():
    kept = span(measured(np.linspace(0.0, 6.0, 10_000)), 254)
    assert kept.low == 0.0
    assert kept.high == pytest.approx(6.0, rel=0.01)


def test_it_holds_0_even_if_no_number_is_near():
    kept = span(measured(np.linspace(3.0, 4.0, 1000)), 254)
    assert (kept.low, kept.high) == (0.0, pytest.approx(4.0, rel=0.01))
    kept = span(measured(np.linspace(-4.0, -3.0, 1000)), 254)
    assert (kept.low, kept.high) == (pytest.approx(-4.0, rel=0.01), 0.0)


def test_each_end_is_cut_for_itself():
    rng = np.random.default_rng(0)
    kept = span(measured(np.concatenate([rng.uniform(-1.0, 1.0, 100_000), [60.0]])), 30)
    assert kept.low == pytest.approx(-1.0, abs=0.1)
    assert 1.0 <= kept.high < 10.0


def test_few_codes_cut_more():
    numbers = measured(np.random.default_rng(0).normal(size=100_000))
    few, many = span(numbers, 6), span(numbers, 254)
    assert many.low < few.low < 0.0 < few.high < many.high


def test_the_mirror_image_has_the_mirrored_range():
    numbers = np.random.default_rng(0).gamma(2.0, size=20_000)
    one, other = span(measured(numbers), 254), span(measured(-numbers), 254)
    assert (one.low, one.high) == (-other.high, -other.low)


def test_zeros_have_no_range():
    assert span(measured(np.zeros(10)), 254).amplitude == 0.0


def test_it_is_no_worse_than_any_other_range_of_those_tried():
    numbers = np.random.default_rng(1).standard_t(3, 50_000)
    statistics, codes = measured(numbers), 62

    def error(low, high):
        step = (high - low) / codes
        rounded = np.round((np.clip(numbers, low, high) - low) / step) * step + low
        return float(((numbers - rounded) ** 2).mean())

    kept = span(statistics, codes)
    best = min(
        error(low, high)
        for low in statistics.low * np.geomspace(0.01, 1, 30)
        for high in statistics.high * np.geomspace(0.01, 1, 30)
    )
    assert error(kept.low, kept.high) <= 1.05 * best
