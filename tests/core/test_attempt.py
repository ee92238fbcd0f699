"""The account of fixes that were tried."""

from onnxq.core.attempt import NOTHING_TRIED, Attempt, Fixes

ACCOUNT = Fixes((Attempt("one", gain=2.0), Attempt("two", "it gained nothing", gain=-1.0), Attempt("three", gain=0.5)))


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
