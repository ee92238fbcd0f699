"""Scales: from measured ranges and constants, against the plain formula amplitude / 127."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.calibrators.entropy import Entropy
from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.calibrators.percentile import Percentile
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.graph import GraphView, Node, Site
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import PerAxis, PerTensor, Spec
from onnxq.core.statistics import Statistics
from onnxq.core.tally import measured as of
from onnxq.stages.scale import DEAD, FLOOR, scale

FORMATS = {"int8": INT8}
ACTIVATION = Spec("int8")
RNG = np.random.default_rng(0)


def per_axis(axis):
    return Spec("int8", PerAxis(axis), "weight")


def view_of(**weights):
    return GraphView((Node("n", "Conv", ("x", *weights), ("y",)),), ("x",), ("y",), weights, {}, {})


def plan_of(decisions, ties=()):
    made = (Decision(site, spec, "because", "here") for site, spec in decisions)
    return Plan("tensorrt", "", tuple(made), ties)


def weight_scale(weight, spec, calibrator=None):
    site = Site("w", "n", 1)
    scales = scale(
        plan_of([(site, spec)]), view_of(w=weight), Statistics("", {}), FORMATS, (Max(), calibrator or Max())
    )
    return scales.weights[site]


def activations(values, ties=(), calibrator=None, specs=None):
    """The scales of activations with those values, each read by the node "n"."""
    sites = [(Site(tensor, "n", index), (specs or {}).get(tensor, ACTIVATION)) for index, tensor in enumerate(values)]
    seen = {tensor: of(np.float32(array)) for tensor, array in values.items()}
    return scale(
        plan_of(sites, ties), view_of(), Statistics("", seen), FORMATS, (calibrator or Max(), Max())
    ).activations


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    weight=arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.floats(-4, 4, width=16)
    ),
    data=st.data(),
)
def test_a_channel_has_the_scale_of_its_largest_magnitude_over_127(weight, data):
    axis = data.draw(st.integers(-weight.ndim, weight.ndim - 1))
    params = weight_scale(weight, per_axis(axis))
    others = tuple(a for a in range(weight.ndim) if a != axis % weight.ndim)
    largest = np.abs(weight.astype(np.float64)).max(axis=others)
    expected = np.where(largest > 0, largest / 127, DEAD).astype(np.float32)
    np.testing.assert_array_equal(params.scale, expected)
    assert params.scale.shape == (weight.shape[axis],)
    assert params.floored == np.sum(largest == 0)


def test_one_scale_for_a_whole_tensor_has_no_axes():
    weight = np.float32([[1, -2], [3, -4]])
    params = weight_scale(weight, Spec("int8", PerTensor(), "weight"))
    assert params.scale.shape == ()
    assert params.scale == np.float32(4 / 127)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-7, 1.0, 6e4])
def test_scales_are_float32_positive_and_finite(dtype, factor):
    weight = np.stack([RNG.normal(size=9) / 4, np.zeros(9)]).astype(dtype) * dtype(factor)
    for params in (weight_scale(weight, per_axis(0)), activations({"x": weight})["x"]):
        assert params.scale.dtype == np.float32
        assert np.isfinite(params.scale).all()
        assert (params.scale > 0).all()


def test_the_calibrator_of_weights_looks_at_each_channel_by_itself():
    weight = np.stack([np.linspace(-1, 1, 100), np.linspace(-5, 5, 100)]).astype(np.float32)
    params = weight_scale(weight, per_axis(0), Percentile(50.0))
    np.testing.assert_allclose(params.scale * 127, [0.5, 2.5], rtol=0.02)
    assert params.source == "weight, percentile"


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda calibrator: calibrator.name)
def test_dead_channels_and_dead_activations_get_a_scale_of_one_and_are_reported(calibrator):
    weight = np.stack([np.zeros(9), np.ones(9), np.zeros(9)]).astype(np.float32)
    params = weight_scale(weight, per_axis(0), calibrator)
    assert (params.scale[0], params.scale[2], params.floored) == (1.0, 1.0, 2)
    assert params.scale[1] < 0.01
    dead = activations({"x": np.zeros(5)}, calibrator=calibrator)["x"]
    assert (dead.scale, dead.floored) == (1.0, 1)


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda calibrator: calibrator.name)
def test_what_was_never_seen_is_dead(calibrator):
    params = activations({"x": np.zeros((0, 4))}, calibrator=calibrator)["x"]
    assert (params.scale, params.floored) == (1.0, 1)


def test_values_too_small_for_a_scale_get_the_smallest_and_are_reported():
    """Dividing by a denormal scale would overflow."""
    params = weight_scale(np.float32([[1e-40], [1e-30]]), per_axis(0))
    assert params.scale[0] == np.float32(FLOOR)
    assert np.isfinite(np.float32(1) / params.scale).all()
    assert params.floored == 1


def test_what_was_floored_is_listed_by_tensor():
    weight, site = np.zeros((3, 2), np.float32), Site("w", "n", 1)
    plan = plan_of([(Site("x", "n", 0), ACTIVATION), (site, per_axis(0))])
    seen = Statistics("", {"x": of(np.zeros(2))})
    assert dict(scale(plan, view_of(w=weight), seen, FORMATS, (Max(), Max())).floored()) == {"x": 1, "w": 3}


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda calibrator: calibrator.name)
def test_tied_tensors_share_the_scale_of_all_their_values_together(calibrator):
    values = {name: RNG.normal(size=500) * width for name, width in (("a", 1), ("b", 3), ("c", 0.1))}
    together = activations({"all": np.concatenate(list(values.values()))}, calibrator=calibrator)["all"].scale
    tied = activations(values, ties=(("a", "b", "c"),), calibrator=calibrator)
    assert [params.scale for params in tied.values()] == [together] * 3


def test_a_tie_names_the_others_as_the_source():
    tied = activations({"a": [1], "b": [2], "c": [3], "d": [4]}, ties=(("a", "b", "c"),))
    sources = {tensor: params.source for tensor, params in tied.items()}
    assert sources == {
        "a": "max, shared with 'b', 'c'",
        "b": "max, shared with 'a', 'c'",
        "c": "max, shared with 'a', 'b'",
        "d": "max",
    }
    assert tied["d"].scale == np.float32(4 / 127)


def test_tensors_of_a_tie_that_are_not_quantized_do_not_count():
    tied = activations({"a": [1], "b": [2]}, ties=(("a", "float"), ("float", "b")))
    assert [(params.scale, params.source) for params in tied.values()] == [
        (np.float32(1 / 127), "max"),
        (np.float32(2 / 127), "max"),
    ]


def test_a_dead_tensor_lives_on_the_scale_of_its_tie():
    tied = activations({"a": [0, 0], "b": [2]}, ties=(("a", "b"),))
    assert [(params.scale, params.floored) for params in tied.values()] == [(np.float32(2 / 127), 0)] * 2


def test_scales_come_in_the_order_of_the_plan():
    assert list(activations({"b": [1], "a": [2], "c": [3]}, ties=(("c", "a"),))) == ["b", "a", "c"]


def named(calibrator, specs=None):
    """A plan for "x" and a weight "w", both with a calibrator of their own."""
    sites = Site("x", "n", 0), Site("w", "n", 1)
    decisions = (Decision(s, spec, "", "", calibrator=calibrator) for s, spec in zip(sites, specs, strict=True))
    return Plan("tensorrt", "", tuple(decisions))


@pytest.mark.parametrize(
    ("text", "same"),
    [("mse", Mse()), ("max", Max()), ("percentile 90.0", Percentile(90.0)), ("percentile", Percentile())],
)
def test_a_calibrator_in_the_plan_is_obeyed_for_activations_and_weights(text, same):
    weight = RNG.normal(size=(4, 9)).astype(np.float32)
    seen = Statistics("", {"x": of(RNG.normal(size=1000).astype(np.float32))})
    specs = (ACTIVATION, per_axis(0))
    own = scale(named(text, specs), view_of(w=weight), seen, FORMATS, (Entropy(), Entropy()))
    plain = scale(named(None, specs), view_of(w=weight), seen, FORMATS, (same, same))
    assert own.activations["x"].scale == plain.activations["x"].scale
    np.testing.assert_array_equal(own.weights[Site("w", "n", 1)].scale, plain.weights[Site("w", "n", 1)].scale)
    assert own.activations["x"].source == text
