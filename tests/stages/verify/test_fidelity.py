"""Fidelity: the figures of all samples, whatever the batches, and honest about what is not compared."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from onnxq.catalog.metrics import METRICS
from onnxq.core.batch import Batch, InputSpec
from onnxq.data.arrays import ArraySource
from onnxq.errors import DataError
from onnxq.stages.verify import fidelity

SAMPLES = np.random.default_rng(0).normal(size=(11, 5)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 5, 11)

UNLABELLED = ["sqnr", "cosine", "kl", "max_error", "mean_error"]


def original(feeds):
    return {"scores": feeds["x"]}


def coarse(feeds):
    return {"scores": np.round(feeds["x"])}


def batches(size=11, fixed=None, labels=LABELS):
    return ArraySource({"x": SAMPLES}, [InputSpec("x", "float32", (fixed, 5))], size, labels).batches()


def by_hand():
    noise = np.round(SAMPLES) - SAMPLES
    wide, rounded = SAMPLES.astype(np.float64), np.round(SAMPLES).astype(np.float64)
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (wide, rounded))
    return {
        "kl": (p * np.log(p / q)).sum(axis=1).mean(),
        "sqnr": 10 * math.log10(np.sum(wide**2) / np.sum(noise.astype(np.float64) ** 2)),
        "cosine": np.sum(wide * rounded) / math.sqrt(np.sum(wide**2) * np.sum(rounded**2)),
        "max_error": np.abs(wide - rounded).max(),
        "mean_error": np.abs(wide - rounded).mean(),
        "top1": 100 * np.mean(rounded.argmax(axis=1) == LABELS),
        "agreement": 100 * np.mean(rounded.argmax(axis=1) == wide.argmax(axis=1)),
    }


def test_the_figures_of_one_batch_are_those_of_the_formulas():
    found = fidelity(original, coarse, batches(), METRICS)
    assert found.samples == 11
    assert found.figures["scores"] == pytest.approx(by_hand(), rel=1e-6)


@pytest.mark.parametrize(("size", "fixed"), [(1, None), (4, None), (11, None), (1, 1), (4, 4), (10, 10), (16, 16)])
def test_batches_and_repeated_samples_change_no_figure(size, fixed):
    found = fidelity(original, coarse, batches(size, fixed), METRICS)
    assert found.samples == 11
    assert found.figures["scores"] == pytest.approx(by_hand(), rel=1e-6)


def test_the_baseline_is_what_fp32_scores_by_the_metrics_that_need_labels():
    found = fidelity(original, coarse, batches(4), METRICS)
    right = 100 * np.mean(SAMPLES.argmax(axis=1) == LABELS)
    assert found.baselines == {"scores": {"top1": pytest.approx(right), "agreement": 100.0}}


def test_without_labels_there_is_nothing_to_score():
    found = fidelity(original, coarse, batches(labels=None), METRICS)
    assert list(found.figures["scores"]) == UNLABELLED
    assert found.baselines == {}


@pytest.mark.parametrize(
    "output",
    [lambda x: x[:, 0], lambda x: x[:, :1], lambda x: x[:, :3], lambda x: x[:7], lambda x: np.array(x.sum())],
    ids=["no classes", "one class", "fewer classes than labels", "not one row per sample", "scalar"],
)
def test_an_output_that_cannot_be_class_scores_is_compared_without_labels(output):
    labels = np.full(11, 4)
    found = fidelity(
        lambda feeds: {"y": output(feeds["x"])},
        lambda feeds: {"y": output(feeds["x"])},
        batches(labels=labels),
        METRICS,
    )
    assert list(found.figures["y"]) == UNLABELLED


def test_equal_models_have_no_noise():
    assert fidelity(original, original, batches(4), METRICS).figures["scores"]["sqnr"] == math.inf


def test_outputs_are_told_apart():
    found = fidelity(
        lambda feeds: {"a": feeds["x"], "b": feeds["x"]},
        lambda feeds: {"a": feeds["x"], "b": 0.9 * feeds["x"]},
        batches(),
        METRICS,
    )
    assert found.figures["a"]["sqnr"] == math.inf
    assert found.figures["b"]["sqnr"] == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (np.int64([1]), np.int64([1]), "it holds int64"),
        (np.array(["a"]), np.array(["a"]), r"it holds str.*"),
        ([np.float32([1])], [np.float32([1])], "it is a sequence or a map"),
        (np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), r"its shape changes from \(2, 3\) to \(4, 3\)"),
    ],
)
def test_what_is_not_compared_is_named_with_the_reason(before, after, reason):
    found = fidelity(
        lambda feeds: {"y": before, "z": feeds["x"]}, lambda feeds: {"y": after, "z": feeds["x"]}, batches(), METRICS
    )
    assert list(found.uncompared) == ["y"]
    assert pytest.approx(found.figures["z"]["cosine"]) == 1.0
    assert re.fullmatch(reason, found.uncompared["y"])
    assert "y" not in found.figures


def test_an_output_without_a_batch_axis_is_compared_whole():
    batch = Batch({}, samples=3, names=("all",), padded=1)
    found = fidelity(lambda feeds: {"y": np.float32([1, 2])}, lambda feeds: {"y": np.float32([1, 1])}, [batch], METRICS)
    assert found.figures["y"]["sqnr"] == pytest.approx(10 * math.log10(5))


def test_no_samples_are_refused():
    with pytest.raises(DataError, match=r"^There are no samples to compare the models on\.$"):
        fidelity(original, original, [], METRICS)
