"""The account of fixes that were tried."""

import pytest

from onnxq.core.attempt import NOTHING_TRIED, Attempt, Fixes

ACCOUNT = Fixes((Attempt("one", gain=2.0), Attempt("two", "it gained nothing", gain=-1.0), Attempt("three", gain=0.5)))


@pytest.mark.parametrize(
    ("figures", "helps"),
    [
        ({"typical": 1.0, "doubt": 0.3, "gain": 0.8, "error": 0.5}, True),
        ({"typical": 1.0, "doubt": 0.3, "gain": -1.5, "error": 2.6}, True),  # few samples decide about the gain
        ({"typical": 1.0, "doubt": 0.3, "gain": -1.5, "error": 0.5}, False),
        ({"typical": 0.2, "doubt": 0.3, "gain": 0.8, "error": 0.5}, True),
        ({"typical": 0.1, "doubt": 0.3, "gain": 0.8, "error": 0.5}, False),
        ({"typical": 0.04, "doubt": 0.0, "gain": 0.04, "error": 0.0}, False),
        ({"typical": float("nan"), "doubt": float("nan"), "gain": float("nan"), "error": float("nan")}, False),
    ],
)
def test_a_fix_helps_if_most_samples_say_so_and_all_together_do_not_deny_it(figures, helps):
    assert Attempt("one", **figures).helps is helps


def test_what_was_refused_is_not_taken():
    assert ACCOUNT.taken == ("one", "three")


def test_what_was_refused_gains_nothing():
    assert ACCOUNT.gain == 2.5


def test_as_plain_data_it_says_what_was_taken():
    data = ACCOUNT.to_json()
    assert (data["taken"], data["gain"]) == (["one", "three"], 2.5)
    assert [attempt["refusal"] for attempt in data["attempts"]] == ["", "it gained nothing", ""]


def test_nothing_was_tried():
    assert (NOTHING_TRIED.taken, NOTHING_TRIED.gain) == ((), 0)
