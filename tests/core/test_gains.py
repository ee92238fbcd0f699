"""How much noise in a channel comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.gains import Gains
from onnxq.core.graph import Site
from onnxq.core.lane_rules import lanes_of

SHAPES = dict.fromkeys(("x", "a", "b", "c", "d"), (1, 2, 4, 4))


def gains(text, active=None, **weights):
    view = sketch(text, SHAPES)
    view = replace(view, constants={**view.constants, **weights})
    return Gains(view, lanes_of(view), active or {})


def test_weights_hand_their_energy_on():
    weight = np.array([[3.0, 0.0], [4.0, 1.0]], np.float32)[:, :, None, None]
    found = gains("a = Relu(x)\nb = Conv(a, v[2,2,1,1])\nc = Conv(b, w[2,2,1,1])\nd = Sigmoid(c)", w=weight)
    np.testing.assert_allclose(found.tensor("b").ravel(), [25.0, 1.0])
    np.testing.assert_allclose(found.site(Site("b", "c", 0)), [25.0, 1.0])


def test_both_ways_around_a_residual_count():
    text = "a = Conv(x, v[2,2,1,1])\nb = Conv(a, w[2,2,1,1])\nc = Add(a, b)\nd = Conv(c, u[2,2,1,1])"
    found = gains(text)
    plain = found.tensor("c").ravel()
    assert plain == pytest.approx([2.0, 2.0])
    assert found.tensor("a").ravel() == pytest.approx(plain + 2.0 * plain)


def test_a_relu_lets_the_share_pass_that_was_seen():
    text = "a = Conv(x, v[2,2,1,1])\nb = Relu(a)\nc = Conv(b, w[2,2,1,1])"
    found = gains(text, {"b": np.array([0.25, 1.0])})
    assert found.tensor("a").ravel() == pytest.approx(found.tensor("b").ravel() * [0.25, 1.0])
    assert gains(text).tensor("a").ravel() == pytest.approx(found.tensor("b").ravel() * 0.5)


@pytest.mark.parametrize(("op", "energies"), [("Mul", [4.0, 9.0]), ("Div", [1 / 4, 1 / 9])])
def test_a_number_for_each_channel_multiplies_noise(op, energies):
    factors = np.array([2.0, -3.0], np.float32)[:, None, None]
    found = gains(f"a = Conv(x, v[2,2,1,1])\nb = {op}(a, k[2,1,1])\nc = Conv(b, w[2,2,1,1])", k=factors)
    assert found.tensor("a").ravel() == pytest.approx(found.tensor("b").ravel() * energies)
