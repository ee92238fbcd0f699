"""Fixes in the pipeline: what they see, what is measured anew, and what `auto` makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fixes import HARMS, HELPS, IDLE, TOYS, Toy, shelved

import onnxq
from onnxq import Budget, Execution, Recipe, quantize_within
from onnxq.core.attempt import Attempt
from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.fix import Fixed
from onnxq.errors import DataError, PrepareError, RecipeError
from onnxq.runtimes import onnxruntime

MODELS = Path(__file__).parents[2] / "models"
MODEL = MODELS / "digits_resnet.onnx"


def arrays(name, samples):
    with np.load(MODELS / f"digits_{name}.npz") as archive:
        return {key: archive[key][:samples] for key in archive.files}


CALIB, EVAL = arrays("calib", 192), arrays("eval", 200)
PLAIN, PLAINLY = Recipe(rest="fp32", weight_granularity="per_tensor"), Execution()
"""One scale per weight: there is much to win back."""


@pytest.fixture(autouse=True)
def shelf(monkeypatch):
    return shelved(monkeypatch, *TOYS)


def quantized(*fixes, calib=CALIB, execution=PLAINLY, **chosen):
    recipe = replace(PLAIN, fixes="auto" if fixes == ("auto",) else fixes)
    return onnxq.quantize(MODEL, calib, recipe, evaluation=EVAL, execution=execution, **chosen)


def written(result):
    return result.model.SerializeToString()


def sqnr(result):
    return result.report.fidelity.figures["logits"]["sqnr"]


def refusals(result):
    return {attempt.fix: attempt.refusal for attempt in result.report.fixes.attempts}


class TestNamed:
    def test_a_fix_that_helps_brings_the_model_closer(self):
        assert sqnr(quantized("helps")) > sqnr(quantized()) + 0.3

    def test_one_that_harms_is_obeyed_and_the_report_says_what_it_cost(self):
        result = quantized("harms")
        assert result.report.fixes.gain < -10.0
        assert sqnr(result) < sqnr(quantized()) - 10.0

    def test_the_report_has_what_was_lost_without(self):
        result = quantized("helps")
        assert result.report.plain == quantized().report.fidelity

    def test_one_that_finds_nothing_to_do_says_so_and_changes_nothing(self):
        result = quantized("idle")
        assert written(result) == written(quantized())
        (attempt,) = result.report.fixes.attempts
        assert (attempt.refusal, attempt.notes) == ("there is nothing that it could change", ("no such operator",))

    def test_they_are_applied_in_the_order_of_the_shelf(self):
        one, other = quantized("helps", "moves"), quantized("moves", "helps")
        assert written(one) == written(other)
        assert [attempt.fix for attempt in one.report.fixes.attempts] == ["moves", "helps"]

    def test_neither_batch_size_nor_order_of_the_samples_matter(self):
        shuffled = {name: array[np.random.default_rng(0).permutation(192)] for name, array in CALIB.items()}
        one = quantized("moves", "helps", execution=Execution(batch_size=32))
        other = quantized("moves", "helps", calib=shuffled, execution=Execution(batch_size=7))
        assert written(one) == written(other)
        assert one.report.fixes.decibels == other.report.fixes.decibels

    def test_an_unknown_one_is_an_error_before_any_work(self):
        with pytest.raises(RecipeError, match=r"^Unknown fix 'help'\. .* Did you mean 'helps'\?$"):
            onnxq.quantize("nowhere.onnx", CALIB, Recipe(fixes=("help",)))

    def test_a_text_is_no_list(self):
        with pytest.raises(RecipeError, match=r"^fixes is a list of names\. Got 'helps': write \('helps',\)\.$"):
            Recipe(fixes="helps")

    def test_without_int8_there_is_nothing_to_win_back(self):
        with pytest.raises(RecipeError, match=r"^Without INT8 there is nothing that fixes could win back\."):
            onnxq.quantize(MODEL, CALIB, Recipe(int8=False, fixes=("helps",)))


class TestSamples:
    def test_no_fix_sees_what_it_is_judged_on(self, monkeypatch):
        seen = []

        def look(case):
            seen.extend(batch.feeds["image"].copy() for batch in case.samples.batches())
            return Fixed(case.view)

        shelved(monkeypatch, Toy("looks", look))
        result = quantized("looks")
        rows = {row.tobytes() for batch in seen for row in batch}
        assert len(rows) == 144
        assert result.report.fixes.samples == 48

    def test_all_samples_are_measured(self):
        assert quantized("moves").report.calibration_samples == 192

    def test_few_samples_are_too_few_to_judge_on(self):
        result = quantized("helps", calib={"image": CALIB["image"][:3]})
        assert (result.report.fixes.samples, result.report.fixes.decibels) == (0, None)
        assert result.report.fixes.taken == ("helps",)

    @pytest.mark.parametrize("fixes", [("helps",), ("auto",)])
    def test_statistics_are_no_samples(self, fixes):
        statistics = onnxq.calibrate(MODEL, CALIB, PLAIN)
        with pytest.raises(DataError, match=r"^Fixes look at the calibration samples more than once\. Give these with"):
            quantized(*fixes, calib=statistics)

    def test_a_stream_passes_only_once(self):
        feeds = iter([{"image": CALIB["image"][:8]}])
        with pytest.raises(DataError, match=r"^Fixes look at the calibration samples more than once\."):
            quantized("helps", calib=feeds)

    def test_feeds_are_samples_too(self):
        feeds = [{"image": CALIB["image"][row : row + 1]} for row in range(32)]
        assert quantized("helps", calib=feeds).report.fixes.samples == 8


class TestPreserving:
    def test_what_its_tensors_hold_is_measured_anew(self):
        plain, moved = quantized(), quantized("moves")
        ratios = {
            name: moved.statistics.tensors[name].high / found.high for name, found in plain.statistics.tensors.items()
        }
        assert {round(ratio, 3) for ratio in ratios.values()} == {1.0, 4.0}
        for name, ratio in ratios.items():
            scales = [result.scales.activations[name].scale for result in (plain, moved)]
            np.testing.assert_allclose(scales[1], scales[0] * round(ratio), rtol=1e-3)

    def test_the_reference_computes_what_the_model_did(self):
        moved, feeds = quantized("moves"), {"image": EVAL["image"]}
        before, after = (onnxruntime.run(model, feeds) for model in (quantized().reference, moved.reference))
        np.testing.assert_allclose(after["logits"], before["logits"], rtol=1e-4, atol=1e-4)
        (attempt,) = moved.report.fixes.attempts
        assert 0.0 <= attempt.drift < 1e-5

    def test_one_that_does_not_is_an_error_that_names_it(self):
        with pytest.raises(PrepareError, match=r"^The fix 'breaks' changed the output 'logits' by .* of its largest"):
            quantized("breaks")

    def test_the_plan_of_the_result_is_for_the_model_as_it_came(self):
        moved = quantized("moves")
        assert moved.plan == quantized().plan
        assert written(quantized("moves", plan=moved.plan.to_json())) == written(moved)

    def test_the_calibrator_is_chosen_once(self):
        recipe = replace(PLAIN, fixes=("moves",), calibrator="auto")
        result = onnxq.quantize(MODEL, CALIB, recipe)
        assert result.report.tried == onnxq.quantize(MODEL, CALIB, replace(PLAIN, calibrator="auto")).report.tried
        assert written(onnxq.quantize(MODEL, CALIB, result.recipe)) == written(result)


class TestKnownScales:
    @pytest.fixture
    def cache(self):
        scales = {name: np.float32(params.scale) for name, params in quantized().scales.activations.items()}
        return CalibrationCache("8601", "EntropyCalibration2", scales)

    def test_one_that_changes_what_tensors_hold_cannot_use_them(self, cache):
        with pytest.raises(RecipeError, match=r"^The fix 'moves' changes what tensors hold, so the scales of .* no"):
            onnxq.quantize(MODEL, CALIB, replace(PLAIN, fixes=("moves",), cache=cache))

    def test_auto_leaves_it_out(self, cache):
        result = onnxq.quantize(MODEL, CALIB, replace(PLAIN, fixes="auto", cache=cache))
        assert refusals(result)["moves"].startswith("The fix 'moves' changes what tensors hold")
        assert result.report.fixes.taken == ("helps",)

    def test_others_can(self, cache):
        result = onnxq.quantize(MODEL, CALIB, replace(PLAIN, fixes=("helps",), cache=cache))
        assert result.report.fixes.taken == ("helps",)


class TestAuto:
    def test_it_takes_what_helps_and_says_why_not_the_rest(self):
        result = quantized("auto")
        assert "helps" in result.recipe.fixes
        found = refusals(result)
        assert found["breaks"].startswith("The fix 'breaks' changed the output")
        assert (found["harms"], found["idle"]) == ("it gained nothing", "there is nothing that it could change")

    @pytest.mark.parametrize("rest", ["fp32", "fp16"])
    def test_what_it_chose_makes_the_same_model(self, rest):
        found = onnxq.quantize(MODEL, CALIB, replace(PLAIN, rest=rest, fixes="auto"))
        assert written(onnxq.quantize(MODEL, CALIB, found.recipe)) == written(found)

    def test_where_nothing_helps_the_model_is_the_one_without(self, monkeypatch):
        shelved(monkeypatch, HARMS, IDLE)
        result = quantized("auto")
        assert written(result) == written(quantized())
        assert (result.recipe.fixes, result.report.plain) == ((), None)

    def test_what_is_worse_in_the_end_is_given_up(self, monkeypatch):
        shelved(monkeypatch, HARMS)
        monkeypatch.setattr(Attempt, "helps", True)
        result = quantized("auto")
        assert written(result) == written(quantized())
        assert refusals(result) == {"harms": "all that were taken gained nothing together"}

    def test_what_harms_first_does_not_spoil_what_helps(self, monkeypatch):
        shelved(monkeypatch, HARMS, HELPS)
        assert written(quantized("auto")) == written(quantized("helps"))

    def test_the_accuracy_with_each_that_was_taken_is_measured_on_the_evaluation_data(self):
        report = quantized("auto").report
        assert (report.fixes.labelled, report.fixes.top1) == (200, report.plain.figures["logits"]["top1"])
        found = {attempt.fix: attempt.top1 for attempt in report.fixes.attempts}
        assert found.pop("helps") == report.fidelity.figures["logits"]["top1"]
        assert set(found.values()) == {None}

    def test_without_labels_there_is_no_accuracy(self):
        recipe, images = replace(PLAIN, fixes=("helps",)), {"image": EVAL["image"]}
        fixes = onnxq.quantize(MODEL, CALIB, recipe, evaluation=images).report.fixes
        assert (fixes.labelled, fixes.top1, fixes.attempts[0].top1) == (0, None, None)

    def test_with_few_samples_nothing_is_tried(self):
        told = []

        class Listener(onnxq.core.observer.Silent):
            def note(self, text):
                told.append(text)

        few = {"image": CALIB["image"][:3]}
        result = quantized("auto", calib=few, execution=Execution(observer=Listener()))
        assert result.report.fixes.attempts == ()
        assert told == ["There are too few samples to judge fixes on, so none is applied. Give at least four."]

    def test_a_bug_in_a_fix_is_not_hidden(self, monkeypatch):
        def fail(case):
            raise KeyError(case.plan.target)

        shelved(monkeypatch, Toy("fails", fail))
        with pytest.raises(KeyError, match="tensorrt"):
            quantized("auto")


class TestTimeLimit:
    def test_what_does_not_come_to_its_end_is_dropped(self):
        result = quantized("helps", execution=Execution(time_limit=1e-6))
        assert refusals(result) == {"helps": "the time limit passed"}
        assert written(result) == written(quantized())
        assert result.recipe.fixes == ()

    def test_what_takes_too_long_does_not_cost_the_others(self, monkeypatch):
        def dawdle(case):
            while True:
                case.observer.advance(0, 1)

        shelved(monkeypatch, Toy("dawdles", dawdle), HARMS)
        result = quantized("dawdles", "harms", execution=Execution(time_limit=2.0))
        assert refusals(result) == {"dawdles": "the time limit passed", "harms": ""}

    def test_it_must_be_above_0(self):
        with pytest.raises(RecipeError, match=r"^The time limit must be above 0 seconds\. Got 0\.$"):
            Execution(time_limit=0)


class TestElsewhere:
    def test_sensitivity_has_those_that_keep_what_the_model_computes(self):
        plain, moved, helped = (
            onnxq.rank(MODEL, CALIB, Recipe(fixes=fixes), evaluation=EVAL) for fixes in ((), ("moves",), ("helps",))
        )
        assert helped == plain
        assert {row.group.name for row in moved.ranks} == {row.group.name for row in plain.ranks}

    def test_a_budget_is_kept_with_them_and_its_recipe_makes_the_same_model(self):
        recipe = replace(PLAIN, rest=None, fixes="auto")
        result, outcome = quantize_within(Budget("sqnr", floor=44.0), MODEL, CALIB, recipe, evaluation=EVAL)
        assert outcome.met
        assert sqnr(result) >= 44.0
        assert result.recipe.fixes == ("helps",)
        assert written(onnxq.quantize(MODEL, CALIB, result.recipe)) == written(result)

    def test_what_fixes_win_back_need_not_stay_in_float(self):
        recipe = replace(PLAIN, fixes=("helps",))
        floor = (sqnr(quantized()) + sqnr(quantized("helps"))) / 2
        _, outcome = quantize_within(Budget("sqnr", floor=floor), MODEL, CALIB, recipe, evaluation=EVAL)
        assert outcome.reached.share == outcome.plain.share
        assert outcome.plain.figure < floor < outcome.reached.figure

    def test_a_report_is_plain_data(self):
        data = json.loads(json.dumps(quantized("auto").report.to_json()))
        assert data["fixes"]["taken"] == ["helps"]
        assert data["plain"]["samples"] == 200
