"""What a model is worth on samples that were kept aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxq.core.batch import InputSpec
from onnxq.core.execution import Execution
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.pipeline import Order, finished, scaled
from onnxq.pipeline.referee import Referee
from onnxq.runtimes.onnxruntime import Session

MODELS = Path(__file__).parents[2] / "models"
IMAGES = np.load(MODELS / "digits_calib.npz")["image"][:24]
INPUTS = (InputSpec("image", "float32", (None, *IMAGES.shape[1:])),)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def case(request):
    recipe, clock = Recipe(rest=request.param), Clock(Silent())
    order = Order({"image": IMAGES}, recipe, Execution(), None, {"image": IMAGES})
    return scaled(MODELS / "digits_resnet.onnx", order, clock), recipe, clock


def scored(case, source):
    found, recipe, _ = case
    return Referee(Session(found.ready.given), source, recipe, Execution()).score(found)


def test_it_judges_what_is_written(case):
    found, recipe, clock = case
    report = finished(found, recipe, Execution(), clock).report
    score = scored(case, ArraySource({"image": IMAGES}, INPUTS))
    assert score.decibels == pytest.approx(report.fidelity.figures["logits"]["sqnr"], abs=1e-6)


def test_each_sample_counts_by_itself(case):
    score = scored(case, ArraySource({"image": IMAGES}, INPUTS, batch_size=7))
    assert score.noise.shape == score.signal.shape == (24, 1)
    assert (score.noise > 0).all()
    assert 90.0 <= score.same <= 100.0


def test_what_is_fed_as_it_came_counts_as_it_came(case):
    feeds = [{"image": IMAGES[:8]}, {"image": IMAGES[8:]}]
    score = scored(case, FeedSource(feeds, INPUTS))
    assert score.decibels == pytest.approx(scored(case, ArraySource({"image": IMAGES}, INPUTS)).decibels, abs=1e-6)
