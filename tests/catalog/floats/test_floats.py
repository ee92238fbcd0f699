"""How short types store numbers, against numpy's own float16 and against arithmetic that is slow and obvious."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.catalog.floats import FLOATS
from onnxq.catalog.floats.bf16 import BF16
from onnxq.catalog.floats.fp16 import FP16
from onnxq.catalog.floats.fp32 import FP32

RNG = np.random.default_rng(0)
NUMBERS = np.concatenate(
    [
        (RNG.uniform(-1, 1, 2000) * 10.0 ** RNG.uniform(-9, 4.8, 2000)).astype(np.float32),
        np.array([0.0, -0.0, 1.0, 65504.0, 2.0**-14, 2.0**-24], np.float32),
    ]
)


def positive() -> np.ndarray:
    return np.abs(NUMBERS[NUMBERS != 0])


def test_fp32_changes_nothing():
    assert np.array_equal(FP32.round(NUMBERS), NUMBERS)


def test_fp16_rounds_as_numpy_does():
    assert np.array_equal(FP16.round(NUMBERS), NUMBERS.astype(np.float16).astype(np.float32))


def test_bf16_rounds_to_the_nearest_and_halves_to_the_even():
    step = 2.0 ** (np.floor(np.log2(positive().astype(np.float64))) - 7)
    expected = np.round(positive() / step) * step  # numpy rounds halves to even
    assert np.array_equal(BF16.round(positive()), expected.astype(np.float32))


@pytest.mark.parametrize("low", FLOATS, ids=lambda low: low.name)
def test_its_limits_are_its_own(low):
    limits = np.array([low.largest, low.normal, low.smallest, 1.0 + low.step], np.float32)
    assert np.array_equal(low.round(limits), limits)


def test_what_is_too_large_becomes_infinite_and_nan_stays():
    assert np.isinf(FP16.round(np.float32([1e5, -1e5]))).all()
    assert all(np.isnan(low.round(np.float32([np.nan]))).all() for low in FLOATS)


@pytest.mark.parametrize("low", [FP16, BF16], ids=lambda low: low.name)
class TestScales:
    def test_a_scale_is_a_number_of_the_type(self, low):
        scales = low.scale(positive()[positive() <= low.largest])
        assert np.array_equal(low.round(scales), scales)

    def test_a_scale_is_not_below_what_was_asked_for_so_that_nothing_is_clipped(self, low):
        assert (low.scale(positive()) >= positive()).all()

    def test_a_scale_is_the_next_number_and_no_further(self, low):
        asked = positive()[(positive() >= low.normal) & (positive() < low.largest / 2)]
        assert (low.scale(asked) <= asked.astype(np.float64) * (1 + low.step)).all()

    def test_a_scale_never_vanishes(self, low):
        assert low.scale(np.float32([low.smallest / 4])) == np.float32(low.smallest)

    def test_on_the_grid_small_scales_keep_all_their_digits(self, low):
        small = np.float32([low.normal / 3])
        assert np.array_equal(low.grid(small), small)
