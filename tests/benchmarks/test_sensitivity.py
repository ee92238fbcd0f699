"""benchmarks/sensitivity.py on the repository's own model."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from cases import find_cases  # noqa: E402
from sensitivity import noise_row, race  # noqa: E402


@pytest.fixture
def digits():
    (case,) = find_cases("digits_resnet")
    return case


def test_both_ways_give_the_same_figures(digits):
    found = list(race(digits, 40))
    assert [(each.mode, each.variants) for each in found] == [("alone", 11), ("without", 11)]
    for each in found:
        assert each.apart < 0.05
        assert each.row.count("|") == 10


def test_the_noise_of_a_model_has_a_row(digits):
    row = noise_row(digits, 40)
    assert row.startswith("| digits_resnet | 11 | ")
    assert "Conv `/stem/stem.0/Conv`" in row
