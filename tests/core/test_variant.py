"""What the pair on each edge carries."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.graph import Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.variant import Variant

WEIGHT = Spec("int8", PerAxis(0), "weight")
X, Y, W = Site("x", "conv", 0), Site("x", "pool", 0), Site("w", "conv", 1)


def params(scale: float, spec: Spec) -> QuantParams:
    return QuantParams(np.float32(scale), spec, "test")


PLAN = Plan("t", "f", tuple(Decision(s, spec, "", "") for s, spec in ((X, Spec("int8")), (W, WEIGHT), (Y, None))))
SCALES = Scales({"x": params(1, Spec("int8")), "z": params(2, Spec("int8"))}, {W: params(3, WEIGHT)})


def test_activations_have_the_params_of_their_tensor_and_weights_those_of_their_site():
    assert Variant("v", PLAN, SCALES).params == {X: SCALES.activations["x"], W: SCALES.weights[W]}


def test_a_scale_that_is_missing_is_missed():
    with pytest.raises(KeyError):
        _ = Variant("v", PLAN, Scales({}, {})).params
