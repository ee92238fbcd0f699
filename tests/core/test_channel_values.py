"""Numbers of channels, and how far quantized models are from others, on a model with residual blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxq.core.channel_values import MOST, channel_values
from onnxq.core.execution import Execution
from onnxq.core.lane_rules import lanes_of
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.pipeline import Order, scaled
from onnxq.pipeline.workshop import Workshop, case_of

MODELS = Path(__file__).parents[2] / "models"
IMAGES = np.load(MODELS / "digits_calib.npz")["image"][:32]
TENSOR = "/stem/stem.2/Relu_output_0"


@pytest.fixture(scope="module")
def case():
    order, clock = Order({"image": IMAGES}, Recipe(rest="fp32"), Execution()), Clock(Silent())
    found = scaled(MODELS / "digits_resnet.onnx", order, clock)
    return case_of(found, Workshop.of(found, order, clock).samples, order.execution)


def test_each_channel_has_numbers_that_the_model_computes(case):
    found = channel_values(case, lanes_of(case.view), (TENSOR,))[TENSOR]
    feeds = next(case.samples.batches()).feeds
    computed = case.run(case.view, None, (TENSOR,))(feeds)[TENSOR]
    assert found.shape[0] == computed.shape[1]
    assert found.shape[1] <= MOST
    for channel, row in enumerate(found):
        assert np.isin(row[0], computed[:, channel])


def test_a_tensor_whose_lanes_tell_no_channels_has_one(case):
    (name,) = case.view.inputs
    assert channel_values(case, lanes_of(case.view), (name,))[name].shape[0] == 1


def test_it_gives_the_same_twice(case):
    one, other = (channel_values(case, lanes_of(case.view), (TENSOR,))[TENSOR] for _ in range(2))
    np.testing.assert_array_equal(one, other)
