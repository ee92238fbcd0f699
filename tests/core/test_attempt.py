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
        ({"typical": -0.2, "doubt": 0.7, "gain": -0.1, "error": 0.7}, True),  # most fixes help, and this says little
        ({"typical": -0.2, "doubt": 0.2, "gain": -0.1, "error": 0.7}, False),
        ({"typical": 0.01, "doubt": 0.0, "gain": 0.01, "error": 0.0}, True),
        ({"typical": 0.0, "doubt": 0.0, "gain": 0.0, "error": 0.0}, False),
        ({"typical": float("nan"), "doubt": float("nan"), "gain": float("nan"), "error": float("nan")}, False),
    ],
)
def test_what_was_measured_is_weighed_against_what_is_expected(figures, helps):
    assert Attempt("one", **figures).helps is helps


def test_together_they_may_be_refused():
    refused = ACCOUNT.refused("they gained nothing together")
    assert refused.taken == ()
    assert [attempt.refusal for attempt in refused.attempts] == [
        "they gained nothing together",
        "it gained nothing",
        "they gained nothing together",
    ]


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
