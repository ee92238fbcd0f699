"""What may be asked."""

from __future__ import annotations

import pytest

from onnxq.errors import DataError, RecipeError
from onnxq.sensitivity import Inquiry


def test_sqnr_is_always_computed_and_what_is_named_first_comes_first():
    assert [metric.name for metric in Inquiry(metrics=("kl", "top1")).chosen()] == ["kl", "top1", "sqnr"]
    assert [metric.name for metric in Inquiry(metrics=("kl", "sqnr", "kl")).chosen()] == ["kl", "sqnr"]
    assert [metric.name for metric in Inquiry().chosen()] == ["sqnr", "cosine", "top1"]


def test_both_modes():
    assert Inquiry(mode="both").modes == ("alone", "without")
    assert Inquiry(mode="without").modes == ("without",)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"mode": "alon"}, r"^Unknown mode 'alon'\. Choose one of: alone, without, both\. Did you mean 'alone'\?$"),
        ({"groups": "block"}, r"^Unknown kind of groups 'block'\. Choose one of: kernels, blocks\. Did you mean 'blo"),
        ({"metrics": "kl"}, r"^metrics is a list of names\. Got 'kl': write \('kl',\)\.$"),
    ],
)
def test_mistakes(chosen, message):
    with pytest.raises(RecipeError, match=message):
        Inquiry(**chosen)


def test_an_unknown_metric():
    with pytest.raises(RecipeError, match=r"^Unknown metric 'sqrn'\. Choose one of: sqnr, .* Did you mean 'sqnr'\?"):
        Inquiry(metrics=("sqrn",)).chosen()


def test_a_script_that_is_missing():
    with pytest.raises(DataError, match=r"^There is no file 'm\.py'"):
        Inquiry(metrics=("m.py:f",)).chosen()
