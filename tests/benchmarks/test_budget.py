"""benchmarks/budget.py on the repository's own model, and the arithmetic of its verdicts."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from budget import main, parse  # noqa: E402
from cases import find_cases  # noqa: E402
from onnxq.core.budget import Budget  # noqa: E402
from per_tensor import split  # noqa: E402
from strategies import Ground, by_damage_per_cost, model_alone, pursue, remeasured  # noqa: E402
from unseen import Paired  # noqa: E402

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def digits():
    (case,) = find_cases("digits_resnet")
    return case


@pytest.fixture(scope="module")
def ground(digits):
    return Ground.of(digits, Budget("sqnr", floor=44.0), 40)


@pytest.mark.parametrize("strategy", [by_damage_per_cost, remeasured, model_alone])
def test_strategies_hold_the_budget_with_some_compute_in_int8(ground, strategy):
    found = pursue(strategy, ground, None)
    assert found.best.figure >= 44.0
    assert found.best.share > 0.2
    assert not found.cut


def test_a_strategy_whose_time_is_up_tells_so(ground):
    found = pursue(remeasured, ground, 0.0)
    assert (found.best, found.measured, found.cut) == (None, 0, True)


def test_a_drop_is_judged_sample_by_sample():
    truth, before = np.zeros(100, int), np.repeat([0, 1], [90, 10])
    after = np.concatenate([np.ones(5, int), np.zeros(86, int), np.ones(9, int)])  # five are lost, one is won
    found = Paired.of(truth, before, after)
    assert (found.samples, found.right, found.lost, found.won) == (100, 90.0, 5, 1)
    assert found.drop == pytest.approx(4.0)
    assert found.error == pytest.approx(100 * np.std([1] * 5 + [-1] + [0] * 94) / 10)


def test_calibrators_are_compared_on_samples_that_were_not_counted(digits):
    counted, aside = split(digits)
    assert (len(counted["image"]), len(aside["image"])) == (153, 39)
    assert not np.isin(
        aside["image"].reshape(39, -1) @ np.arange(64), counted["image"].reshape(153, -1) @ np.arange(64)
    ).all()


def test_tables_are_written(digits, tmp_path, capsys):
    out = tmp_path / "budget.md"
    main(["--only", "calibrators", "--models", "digits*", "--samples", "40", "--out", str(out)])
    assert out.read_text().splitlines()[-1].startswith("| digits_resnet | ")
    assert "| by tensor |" in capsys.readouterr().out


def test_an_unknown_question_is_a_mistake(capsys):
    with pytest.raises(SystemExit):
        parse(["--only", "labelled,speed"])
    assert "no question is called speed" in capsys.readouterr().err
