"""`quantize_within`: the budget is kept by the model as it is written, and its recipe makes the same model."""

from __future__ import annotations

import numpy as np
import pytest
from tests.sensitivity.conftest import MODELS, arrays

import onnxq
from onnxq import Budget, Execution, Recipe, quantize_within
from onnxq.errors import BudgetError, DataError, RecipeError

MODEL = MODELS / "digits_resnet.onnx"
CALIB, EVAL = arrays("calib", 64), arrays("eval", 60)
PIXELS = {"image": EVAL["image"]}


@pytest.fixture(scope="module")
def found():
    return quantize_within(Budget("sqnr", floor=44.0), MODEL, CALIB, evaluation=EVAL)


def test_the_written_model_keeps_the_budget(found):
    result, outcome = found
    assert outcome.met
    assert result.report.fidelity.figures["logits"]["sqnr"] == outcome.reached.figure >= 44.0
    assert outcome.plain.figure < 44.0  # or there would have been nothing to do
    assert 0.0 < outcome.reached.share < outcome.plain.share


def test_what_is_in_float_is_no_more_than_greedy_search_leaves_there(found):
    _, outcome = found
    ranking = onnxq.rank(MODEL, CALIB, evaluation=EVAL)
    macs = {row.group.name: row.group.macs for row in ranking.ranks}
    nodes: list[str] = []
    for row in ranking.ranks:
        nodes += row.group.nodes
        if len(nodes) == sum(len(r.group.nodes) for r in ranking.ranks):
            break
        close = onnxq.quantize(MODEL, CALIB, Recipe(skip=tuple(nodes)), evaluation=EVAL).report.fidelity
        if close.figures["logits"]["sqnr"] >= 44.0:
            break
    greedy = sum(count for name, count in macs.items() if name in nodes) / ranking.macs
    assert 1.0 - outcome.reached.share <= greedy + 0.01


def test_the_recipe_of_the_result_makes_the_same_model(found):
    result, _ = found
    again = onnxq.quantize(MODEL, CALIB, result.recipe)
    assert again.model.SerializeToString() == result.model.SerializeToString()


@pytest.mark.parametrize("asked", [Recipe(target="onnxruntime"), Recipe(rest="fp32"), Recipe(calibrator="auto")])
def test_so_it_does_for_other_targets_and_rests(asked):
    result, _ = quantize_within(Budget("sqnr", floor=44.0), MODEL, CALIB, asked, evaluation=EVAL)
    again = onnxq.quantize(MODEL, CALIB, result.recipe)
    assert again.model.SerializeToString() == result.model.SerializeToString()


def test_neither_batch_size_nor_order_nor_jobs_matter(found):
    shuffled = np.random.default_rng(1).permutation(60)
    other = {name: value[shuffled] for name, value in EVAL.items()}
    execution = Execution(batch_size=7, jobs=1)
    result, outcome = quantize_within(Budget("sqnr", floor=44.0), MODEL, CALIB, evaluation=other, execution=execution)
    assert result.model.SerializeToString() == found[0].model.SerializeToString()
    assert outcome.front == found[1].front


def test_where_full_quantization_keeps_the_budget_nothing_is_searched():
    result, outcome = quantize_within(Budget("top1", drop=0.02, relative=True), MODEL, CALIB, evaluation=EVAL)
    assert (outcome.trials, outcome.met, outcome.complete) == (1, True, True)
    assert outcome.allowed == pytest.approx(outcome.baseline * 0.98)
    assert result.model.SerializeToString() == onnxq.quantize(MODEL, CALIB).model.SerializeToString()


def test_calibration_samples_take_the_place_of_evaluation_data():
    result, outcome = quantize_within(Budget("sqnr", floor=42.0), MODEL, CALIB)
    assert outcome.met
    assert outcome.samples == 64
    assert result.report.fidelity.figures["logits"]["sqnr"] >= 42.0


def test_a_metric_of_ones_own_is_kept(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import numpy as np\n"
        "def score(outputs, fp32, labels):\n"
        "    return -np.abs(outputs['logits'] - fp32['logits']).max(axis=1)\n"
    )
    result, outcome = quantize_within(Budget(str(script), drop=0.15), MODEL, CALIB, evaluation=EVAL)
    assert outcome.baseline == 0.0
    assert outcome.met
    assert -0.15 <= outcome.reached.figure < 0.0
    assert result.report.fidelity.figures[""]["mine.py:score"] == outcome.reached.figure


def test_a_budget_that_cannot_be_kept_is_an_error_that_tells_how_close_it_came():
    with pytest.raises(
        BudgetError,
        match=r"^The budget cannot be kept: sqnr at least 200, which is 200 here\. The closest has \d+\.\d+ with "
        r"\d+\.\d% of the compute in INT8\. The search found nothing closer\. Allow more, or take the closest with "
        r"--best-effort\.$",
    ):
        quantize_within(Budget("sqnr", floor=200.0), MODEL, CALIB, evaluation=EVAL)


def test_best_effort_gives_the_closest():
    result, outcome = quantize_within(Budget("sqnr", floor=200.0, best_effort=True), MODEL, CALIB, evaluation=EVAL)
    assert not outcome.met
    assert outcome.reached.figure > 45.0
    assert result.plan.quantized


def test_the_time_limit_ends_a_search():
    budget = Budget("sqnr", floor=60.0, best_effort=True, seconds=1e-9)
    _, outcome = quantize_within(budget, MODEL, CALIB, evaluation=EVAL)
    assert not outcome.complete
    assert outcome.reached.choice.floats == frozenset()


@pytest.mark.parametrize(
    ("budget", "data", "kind", "message"),
    [
        (Budget("kl", drop=0.1), EVAL, RecipeError, r"^Less kl is better, so it cannot drop\. Choose another metric"),
        (Budget("top2", drop=0.1), EVAL, RecipeError, r"^Unknown metric 'top2'\. Choose one of: .*Did you mean 'top1'"),
        (Budget("sqnr", drop=0.1), EVAL, RecipeError, r"^FP32 has no figure 'sqnr' that could drop\."),
        (
            Budget("top1", floor=90.0),
            PIXELS,
            RecipeError,
            r"^No output has a figure 'top1' that is a number\. It may need",
        ),
        (Budget("no.py", drop=0.1), EVAL, DataError, r"^There is no file 'no\.py' with the metric 'no\.py'\.$"),
    ],
)
def test_a_budget_that_cannot_be_measured_is_refused(budget, data, kind, message):
    with pytest.raises(kind, match=message):
        quantize_within(budget, MODEL, CALIB, evaluation=data)


def test_without_int8_there_is_nothing_to_search():
    with pytest.raises(RecipeError, match=r"^Without INT8 there is nothing to search\."):
        quantize_within(Budget("sqnr", floor=30.0), MODEL, CALIB, Recipe(int8=False))


def test_without_samples_there_is_nothing_to_hold_it_on():
    statistics = onnxq.calibrate(MODEL, CALIB)
    with pytest.raises(DataError, match=r"^There are no samples to hold the budget on\. Give some with --eval"):
        quantize_within(Budget("sqnr", floor=30.0), MODEL, statistics)
