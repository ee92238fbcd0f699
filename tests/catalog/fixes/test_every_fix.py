"""What holds for every fix on the shelf."""

from __future__ import annotations

import pytest

from onnxq.catalog.fixes import FIXES, fixes_of
from onnxq.errors import RecipeError

every_fix = pytest.mark.parametrize("fix", FIXES, ids=lambda fix: fix.name)


def test_those_that_keep_what_the_model_computes_come_first():
    """What is measured behind one of them would no longer be true behind one that is not."""
    kinds = [fix.preserves for fix in FIXES]
    assert kinds == sorted(kinds, reverse=True)


@every_fix
def test_it_says_what_it_does_in_a_line(fix):
    assert fix.doc
    assert "\n" not in fix.doc


def test_they_are_applied_in_the_order_of_the_shelf():
    names = [fix.name for fix in FIXES]
    assert fixes_of(tuple(reversed(names))) == FIXES == fixes_of("auto")


def test_an_unknown_one_is_an_error():
    with pytest.raises(RecipeError, match=r"^Unknown fix 'nothing'\. Choose one of: "):
        fixes_of(("nothing",))
