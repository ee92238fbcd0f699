"""Numbers of things in sentences."""

from __future__ import annotations

import pytest

from onnxq.reports.number import counted


@pytest.mark.parametrize(
    ("number", "one", "many", "text"),
    [
        (0, "sample", "", "no samples"),
        (1, "sample", "", "1 sample"),
        (2, "sample", "", "2 samples"),
        (1, "copy", "copies", "1 copy"),
        (3, "copy", "copies", "3 copies"),
    ],
)
def test_counted(number, one, many, text):
    assert counted(number, one, many) == text
