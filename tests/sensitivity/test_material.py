"""Choices become plans, with what follows from them for the groups that are not in float."""

from __future__ import annotations

import numpy as np
import pytest
from tests.net import Net
from tests.sensitivity.conftest import Case

from onnxq.core.budget import Choice
from onnxq.core.execution import Execution
from onnxq.core.recipe import Recipe
from onnxq.sensitivity.material import Material


@pytest.fixture(scope="module")
def material() -> Material:
    """Two convolutions, and between them a Resize that is copied in INT8 where both are."""
    net = Net()
    weights = np.random.default_rng(0).normal(size=(2, 16, 16, 1, 1)).astype(np.float32)
    first = net.node("Conv", net.input(), net.constant("w1", weights[0]), out="first")
    twice = net.node("Resize", first, "", net.constant("scales", np.float32([1, 1, 2, 2])), out="twice", mode="nearest")
    net.node("Conv", twice, net.constant("w2", weights[1]), out="second")
    data = {"x": np.random.default_rng(1).normal(size=(4, 16, 8, 8)).astype(np.float32)}
    case = Case.of(net.model("second"), data, data)
    return Material.of(case.found, Recipe(), case.sample, Execution())


def test_the_empty_choice_is_full_quantization(material):
    assert [group.name for group in material.groups] == ["first", "twice", "second"]
    assert material.plan_of(Choice()) == material.plan
    assert material.share(Choice()) == 1.0


def test_what_is_in_float_is_not_quantized(material):
    choice = Choice(frozenset({"second"}))
    assert {d.site.node for d in material.plan_of(choice).quantized} == {"first"}
    assert material.share(choice) == pytest.approx(1 / 5)


@pytest.mark.parametrize("floats", [{"first", "second"}, {"first", "twice", "second"}])
def test_what_is_of_no_use_alone_is_in_float_too(material, floats):
    choice = Choice(frozenset(floats))
    assert material.plan_of(choice).quantized == ()
    assert material.share(choice) == 0.0
    assert not material.variant(choice).params
