"""Execution: checked as soon as it is made."""

from __future__ import annotations

import pytest

from onnxq.core.execution import Execution
from onnxq.errors import RecipeError


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True])
@pytest.mark.parametrize(
    ("field", "words"), [("batch_size", "batch size"), ("max_memory", "max memory"), ("jobs", "jobs")]
)
def test_what_is_no_whole_number_above_zero_is_refused(field, words, value):
    with pytest.raises(RecipeError, match=rf"^The {words} must be a whole number above 0\. Got {value!r}\.$"):
        Execution(**{field: value})


def test_one_provider_is_a_list_too():
    with pytest.raises(RecipeError, match=r"^providers is a list of names\. Got 'cuda': write \('cuda',\)\.$"):
        Execution(providers="cuda")


def test_nothing_need_be_said():
    chosen = Execution()
    assert (chosen.batch_size, chosen.max_memory, chosen.providers, chosen.session_options) == (None, None, (), {})
