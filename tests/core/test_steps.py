"""Numbers on even steps: what is recognized as such, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.steps import Seen, Steps, common_size


def steps(*batches):
    """The steps of one channel that was seen in batches."""
    seen = Seen()
    for batch in batches:
        seen.look_at([np.asarray(batch, np.float32)])
    (found,) = seen.steps()
    return found


def test_pixels_lie_on_256_steps_whatever_was_subtracted_and_divided_by():
    found = steps((np.arange(256) / 255 - 0.485) / 0.229)
    assert found.count == 256
    assert found.size == pytest.approx(1 / 255 / 0.229, rel=1e-5)
    assert found.low == pytest.approx(-0.485 / 0.229)


def test_steps_that_no_sample_has_may_be_missing():
    assert steps(np.setdiff1d(np.arange(200), np.arange(50, 90))) == Steps(0.0, 1.0, 200)


def test_batches_are_seen_together():
    assert steps(np.arange(0, 40), np.arange(20, 60)) == Steps(0.0, 1.0, 60)


@pytest.mark.parametrize(
    "numbers",
    [np.arange(15), np.arange(257), np.linspace(0, 1, 100) ** 2, np.random.default_rng(0).normal(size=1000)],
    ids=["too few to tell", "too many", "uneven", "any"],
)
def test_other_numbers_lie_on_none(numbers):
    assert steps(numbers) is None


def test_looking_further_makes_no_sense_once_there_are_too_many():
    seen = Seen()
    assert seen.look_at([np.arange(256, dtype=np.float32)])
    assert not seen.look_at([np.array([-1.0], np.float32)])


def test_channels_have_steps_of_their_own():
    seen = Seen()
    seen.look_at([np.arange(20, dtype=np.float32), np.arange(20, dtype=np.float32) / 4])
    assert [found.size for found in seen.steps()] == [1.0, 0.25]


@pytest.mark.parametrize(
    ("found", "are_even"),
    [
        (Steps(-128.0, 1.0, 256), True),
        (Steps(-127.0 / 128, 1 / 128, 256), True),  # the largest is cut by one step
        (Steps(0.0, 1 / 16, 17), True),
        (Steps(0.0, 1.0, 256), False),
        (Steps(-127.5, 1.0, 256), False),
    ],
)
def test_some_need_no_shift(found, are_even):
    assert found.are_even == are_even


def test_the_middle_lets_codes_hold_all_of_them():
    found = Steps(0.0, 0.5, 256)
    assert found.middle == 64.0
    assert ((np.array([0.0, 127.5]) - found.middle) / found.size).tolist() == [-128.0, 127.0]


def test_one_scale_stores_channels_that_have_it_in_common():
    assert common_size((Steps(0.0, 0.5, 100), Steps(-50.0, 0.5, 200))) == 0.5
    assert common_size((Steps(0.0, 0.5, 100), Steps(0.0, 0.4, 100))) is None
    assert common_size((Steps(0.0, 0.5, 256),)) is None
