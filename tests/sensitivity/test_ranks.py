"""`rank`: what is varied, from one calibration; what it tells on the way; what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.sensitivity.conftest import MODELS, arrays

import onnxq
from onnxq import Execution, Inquiry, Recipe, rank
from onnxq.core.observer import Silent
from onnxq.errors import DataError, ModelError, RecipeError
from onnxq.pipeline import Checkpoint

MODEL = MODELS / "digits_resnet.onnx"
CALIB, EVAL = arrays("calib", 64), arrays("eval", 40)
UNLABELLED = {name: value for name, value in EVAL.items() if name != "label"}


class Diary(Silent):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.details: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)

    def advance(self, done: int, total: int) -> None:
        self.steps.append((done, total))


def test_every_group_is_quantized_alone_and_left_in_float():
    found = rank(MODEL, CALIB, inquiry=Inquiry("both"), evaluation=EVAL)
    assert (found.samples, found.data, len(found.ranks)) == (40, "evaluation", 11)
    assert [metric.name for metric in found.metrics] == ["sqnr", "cosine", "top1"]
    full = found.full.worst(found.metric)[1]
    for row in found.ranks:
        assert row.alone.worst(found.metric)[1] > full
    assert sum(found.shares) == pytest.approx(100.0)
    assert 0.9 < sum(row.group.macs for row in found.ranks) / found.macs <= 1.0


def test_the_full_quantization_is_that_of_quantize():
    whole = onnxq.quantize(MODEL, CALIB, Recipe(rest="fp32"), evaluation=EVAL).report.fidelity
    found = rank(MODEL, CALIB, evaluation=EVAL).full
    assert found.figures["logits"]["sqnr"] == pytest.approx(whole.figures["logits"]["sqnr"], abs=0.05)


def test_one_group_in_float_is_what_skip_gives():
    found = rank(MODEL, CALIB, inquiry=Inquiry("without"), evaluation=EVAL)
    worst = found.ranks[0]
    recipe = Recipe(rest="fp32", skip=worst.group.nodes)
    skipped = onnxq.quantize(MODEL, CALIB, recipe, evaluation=EVAL).report.fidelity
    assert worst.without.figures["logits"]["sqnr"] == pytest.approx(skipped.figures["logits"]["sqnr"], abs=0.05)


def test_blocks_are_fewer_than_kernels():
    found = rank(MODEL, CALIB, inquiry=Inquiry(groups="blocks"), evaluation=EVAL)
    assert len(found.ranks) == 5
    assert {"block", "Conv"} == {row.group.op for row in found.ranks}


def test_what_is_skipped_is_no_group():
    found = rank(MODEL, CALIB, Recipe(skip=("/stem/*",)), evaluation=EVAL)
    assert not [row for row in found.ranks if row.group.name.startswith("/stem")]


def test_without_evaluation_data_it_measures_on_those_for_calibration():
    found = rank(MODEL, CALIB)
    assert (found.samples, found.data) == (64, "calibration")
    assert [metric.name for metric in found.metrics] == ["sqnr", "cosine"]


def test_it_ranks_by_the_first_metric():
    by_kl = rank(MODEL, CALIB, inquiry=Inquiry(metrics=("kl",)), evaluation=EVAL)
    figures = [row.alone.figures["logits"]["kl"] for row in by_kl.ranks]
    assert figures == sorted(figures, reverse=True)


def test_a_metric_of_the_users_own(tmp_path: Path):
    script = tmp_path / "own.py"
    script.write_text("def score(outputs, fp32, labels):\n    return outputs['logits'].argmax(axis=1) == labels\n")
    found = rank(MODEL, CALIB, inquiry=Inquiry(metrics=(str(script), "top1")), evaluation=EVAL)
    for row in found.ranks:
        assert row.alone.figures[""]["own.py:score"] == pytest.approx(row.alone.figures["logits"]["top1"] / 100)
    assert found.full.baselines[""]["own.py:score"] == pytest.approx(found.full.baselines["logits"]["top1"] / 100)


def test_statistics_take_the_place_of_calibration_data():
    statistics = onnxq.calibrate(MODEL, CALIB, Recipe(rest="fp32"))
    assert rank(MODEL, statistics, evaluation=EVAL) == rank(MODEL, CALIB, evaluation=EVAL)


class TestProgress:
    def test_a_first_ranking_is_told_early(self):
        diary = Diary()
        rank(MODEL, CALIB, evaluation=EVAL, execution=Execution(batch_size=8, observer=diary))
        pattern = r"After 8 samples, most of the damage is in '/.+' \(\d+ %\), '/.+' \(\d+ %\), '/.+' \(\d+ %\)\."
        assert [text for text in diary.notes if re.fullmatch(pattern, text)]
        assert [text.split(",")[0] for text in diary.details if "damage" in text] == [
            "After 16 samples",
            "After 32 samples",
        ]

    def test_every_sample_is_counted(self):
        diary = Diary()
        rank(MODEL, CALIB, evaluation=EVAL, execution=Execution(batch_size=16, observer=diary))
        assert diary.steps[-3:] == [(16, 40), (32, 40), (40, 40)]


class TestCheckpoint:
    def interrupted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **chosen: object) -> Checkpoint:
        """The checkpoint of a run that was stopped after some batches."""
        monkeypatch.setattr("onnxq.core.journal.PAUSE", 0.0)
        target = tmp_path / "ranking.json"

        class Impatient(Silent):
            def advance(self, done: int, total: int) -> None:
                if total == 40 and done >= 24:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rank(
                MODEL,
                CALIB,
                inquiry=Inquiry(checkpoint=Checkpoint(target, resume=False)),
                evaluation=EVAL,
                execution=Execution(batch_size=8, observer=Impatient()),
            )
        assert (tmp_path / "ranking.json.partial").exists()
        return Checkpoint(target, resume=True)

    def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(self, tmp_path, monkeypatch):
        checkpoint, diary = self.interrupted(tmp_path, monkeypatch), Diary()
        execution = Execution(batch_size=8, observer=diary)
        found = rank(MODEL, CALIB, inquiry=Inquiry(checkpoint=checkpoint), evaluation=EVAL, execution=execution)
        assert found == rank(MODEL, CALIB, evaluation=EVAL, execution=Execution(batch_size=8))
        assert (8, 40) not in diary.steps

    @pytest.mark.parametrize(
        ("chosen", "message"),
        [
            ({"inquiry": {"mode": "both"}}, "other settings"),
            ({"inquiry": {"metrics": ("kl",)}}, "other settings"),
            ({"recipe": Recipe(calibrator="max")}, "other settings"),
            ({"evaluation": {name: value[1:] for name, value in EVAL.items()}}, "other samples"),
        ],
    )
    def test_what_was_begun_otherwise_cannot_be_resumed(self, tmp_path, monkeypatch, chosen, message):
        checkpoint = self.interrupted(tmp_path, monkeypatch)
        inquiry = Inquiry(checkpoint=checkpoint, **chosen.pop("inquiry", {}))
        with pytest.raises(DataError, match=rf"ranking\.json\.partial' was begun with {message}.*Leave out --resume"):
            rank(MODEL, CALIB, **{"inquiry": inquiry, "evaluation": EVAL, **chosen})

    def test_a_damaged_one_cannot_be_resumed(self, tmp_path):
        (tmp_path / "r.json.partial").write_text("{")
        inquiry = Inquiry(checkpoint=Checkpoint(tmp_path / "r.json", resume=True))
        with pytest.raises(DataError, match=r"r\.json\.partial' cannot be resumed: it cannot be read\. Leave out"):
            rank(MODEL, CALIB, inquiry=inquiry, evaluation=EVAL)


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ({"inquiry": Inquiry(metrics=("top1",))}, DataError, r"^The metric 'top1' needs labels, and an output with a"),
        ({"inquiry": Inquiry(metrics=("kl", "agreement"))}, DataError, r"^The metric 'agreement' needs labels"),
        ({"recipe": Recipe(int8=False, rest="fp16")}, RecipeError, r"^Without INT8 there is nothing to rank\.$"),
        ({"recipe": Recipe(skip=("op:*", "*"))}, RecipeError, r"^The selector 'op:\*' matches no node"),
        ({"recipe": Recipe(skip=("*",))}, ModelError, r"^Nothing in this model can be quantized"),
        ({"calib": None, "evaluation": None}, DataError, r"^There are no calibration data\."),
    ],
)
def test_refusals(chosen, error, message):
    with pytest.raises(error, match=message):
        rank(MODEL, **{"calib": CALIB, "evaluation": UNLABELLED, **chosen})


def test_statistics_alone_are_nothing_to_measure_on():
    statistics = onnxq.calibrate(MODEL, CALIB, Recipe(rest="fp32"))
    with pytest.raises(DataError, match=r"^There are no samples to measure on\. Give some with --eval, or"):
        rank(MODEL, statistics)


def test_outputs_that_cannot_be_compared():
    import onnx  # noqa: PLC0415

    model = onnx.load(MODEL)
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["logits"], ["class"], axis=1))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("class", onnx.TensorProto.INT64, None))
    with pytest.raises(DataError, match=r"^No output can be compared with FP32: of 'class', it holds int64\.$"):
        rank(model, CALIB, evaluation=UNLABELLED)


def test_nothing_is_changed_in_what_was_given():
    before = {name: value.copy() for name, value in EVAL.items()}
    rank(MODEL, CALIB, evaluation=EVAL)
    assert all(np.array_equal(EVAL[name], value) for name, value in before.items())
