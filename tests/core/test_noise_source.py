"""What makes noise in a model: activations and weights, with what their noise depends on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.balance import Shared, Weighted
from onnxq.core.gains import Gains
from onnxq.core.graph import Site
from onnxq.core.lane_rules import lanes_of
from onnxq.core.noise_source import FAINTEST, NoiseSources
from onnxq.core.plan import Decision, Plan
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, PerTensor, Spec

TEXT = "a = Conv(x, u[4,4,1,1])\nb = Relu(a)\nc = Conv(b, v[4,4,1,1])\nd = Relu(c)\ne = Conv(d, w[4,4,1,1])"
SHAPES = dict.fromkeys("abcdefgx", (1, 4, 6, 6))
VALUES = {tensor: np.tile([-1.0, 0.0, 1.0, 1.0], (4, 8)).astype(np.float32) for tensor in SHAPES}
"""Channels that all hold the same, a quarter of it zeros."""

ACTIVATION = Spec("int8")
EACH, WHOLE = PerAxis(0), PerTensor()
PARAMS = QuantParams(np.array(0.5, np.float32), ACTIVATION, "test")


def sources(text=TEXT, cut=EACH, ties=(), values=None, channels=None, **weights):
    """The sources of a graph in which every Conv reads an activation and a weight as integers.

    Args:
        text: the graph.
        cut: of weights.
        ties: of activations.
        values: of some tensors; VALUES of the others.
        channels: the extremes of channels that were measured, by tensor.
        weights: constants in the place of ones.
    """
    view = sketch(text, SHAPES)
    view = replace(view, constants={**view.constants, **{k: v.astype(np.float32) for k, v in weights.items()}})
    convs = [node for node in view.nodes if node.op == "Conv"]
    reads = [Decision(Site(node.inputs[0], node.name, 0), ACTIVATION, "", "") for node in convs]
    weighs = [Decision(Site(node.inputs[1], node.name, 1), Spec("int8", cut, "weight"), "", "") for node in convs]
    case = SimpleNamespace(
        view=view,
        plan=Plan("test", view.fingerprint, (*reads, *weighs), ties),
        scales=Scales(dict.fromkeys((one.site.tensor for one in reads), PARAMS), {one.site: PARAMS for one in weighs}),
        statistics=SimpleNamespace(
            tensors={tensor: SimpleNamespace(channels=np.array(found)) for tensor, found in (channels or {}).items()}
        ),
    )
    lanes = lanes_of(view)
    found = NoiseSources(case, lanes, {**VALUES, **(values or {})}, Gains(view, lanes, {}))
    return lanes, view, list(found)


def of(tensor, **more):
    """The source of an activation."""
    _, _, found = sources(**more)
    (source,) = (one for one in found if tensor in one.scales.activations)
    return source.part


def weight_of(node, **more):
    """The source of a weight."""
    lanes, view, found = sources(**more)
    (source,) = (one for one in found if [site.node for site in one.scales.weights] == [node])
    return lanes, view, source.part


class TestWhich:
    def test_activations_come_first_then_weights_with_the_scale_of_each(self):
        _, _, found = sources()
        assert [(*one.scales.activations, *(site.node for site in one.scales.weights)) for one in found] == [
            ("b",),
            ("d",),
            ("c",),
            ("e",),
        ]
        assert [type(one.part) for one in found] == [Shared, Shared, Weighted, Weighted]

    def test_what_no_unit_can_change_is_left_out(self):
        """The input has its unit, and each row of the weight that reads it a scale of its own; with one for all it
        depends on the units of what it makes."""
        lanes, _, part = weight_of("a", cut=WHOLE)
        np.testing.assert_array_equal(part.makes, lanes.scales[lanes.vector("a")])
        with pytest.raises(ValueError, match="not enough values"):
            weight_of("a")

    def test_activations_that_share_a_scale_are_one(self):
        lanes, _, found = sources(ties=(("b", "d"),))
        assert tuple(found[0].scales.activations) == ("b", "d")
        ids = np.concatenate([lanes.vector("b"), lanes.vector("d")])
        np.testing.assert_array_equal(found[0].part.classes, lanes.scales[ids])

    def test_layers_that_nothing_is_known_of_are_left_out(self):
        """Others read the weight too, so it cannot take a unit up."""
        for text, nodes in ((TEXT, ["a", "c", "e"]), (f"{TEXT}\nf = Relu(u)", ["c", "e"])):
            _, _, found = sources(text, WHOLE)
            assert [site.node for one in found for site in one.scales.weights] == nodes


class TestActivations:
    def test_an_amplitude_is_the_best_one_for_the_values(self):
        assert of("b").amplitudes.tolist() == [1.0] * 4

    def test_it_is_no_smaller_than_what_all_samples_held(self):
        measured = {"b": [[-0.5, -3.0, 0.0, 0.0], [0.5, 2.0, 7.0, 0.0]]}
        assert of("b", channels=measured).amplitudes.tolist() == [1.0, 3.0, 7.0, 1.0]

    def test_extremes_of_other_channels_than_those_seen_tell_nothing(self):
        assert of("b", channels={"b": [[-9.0], [9.0]]}).amplitudes.tolist() == [1.0] * 4

    def test_a_faint_channel_counts_as_a_share_of_the_largest(self):
        quiet = VALUES["b"] * np.array([[1.0], [0.0], [1e-3], [0.5]], np.float32)
        part = of("b", values={"b": quiet})
        assert part.amplitudes.tolist() == [1.0, FAINTEST, FAINTEST, 0.5]
        np.testing.assert_allclose(part.energies, [0.75, FAINTEST**2 / 16, FAINTEST**2 / 16, 0.1875])

    def test_zeros_have_a_code_of_their_own_so_they_make_no_noise(self):
        dead = VALUES["b"] * np.array([[1.0], [1.0], [1.0], [0.0]], np.float32)
        assert of("b", values={"b": dead}).shares.tolist() == [0.75, 0.75, 0.75, 1 / 64]

    def test_noise_counts_once_for_each_quantized_reader(self):
        twice = f"{TEXT}\nf = Conv(b, z[4,4,1,1])"
        ones, others = of("b"), of("b", text=twice, z=2.0 * np.ones((4, 4, 1, 1)))
        np.testing.assert_allclose(others.gains, ones.gains + 4 * 2.0**2)

    def test_a_reader_in_float_hears_none(self):
        more = f"{TEXT}\nf = LeakyRelu(b)\ng = Conv(f, z[4,4,1,1])"
        np.testing.assert_array_equal(of("b", text=more).gains, of("b").gains)


class TestWeights:
    weight = np.arange(1.0, 17.0).reshape(4, 4, 1, 1)

    def test_rows_are_outputs_and_columns_what_they_read(self):
        lanes, _, part = weight_of("c", v=self.weight)
        np.testing.assert_array_equal(part.classes, np.tile(lanes.scales[lanes.vector("b")], (4, 1)))
        np.testing.assert_array_equal(part.magnitudes, self.weight[:, :, 0, 0])
        np.testing.assert_array_equal(part.energies, self.weight[:, :, 0, 0] ** 2)
        assert part.makes is None

    def test_a_column_of_a_depthwise_convolution_is_the_channel_of_its_row(self):
        text = TEXT.replace("v[4,4,1,1])", "v[4,1,1,1]) group=4")
        lanes, _, part = weight_of("c", text=text)
        np.testing.assert_array_equal(part.classes[:, 0], lanes.scales[lanes.vector("b")])

    def test_of_several_taps_the_largest_and_the_mean_energy_count(self):
        taps = np.zeros((4, 4, 1, 3))
        taps[..., 0], taps[..., 2] = 3.0, -4.0
        _, _, part = weight_of("c", text=TEXT.replace("v[4,4,1,1]", "v[4,4,1,3]"), v=taps)
        assert (part.magnitudes == 4.0).all()
        np.testing.assert_allclose(part.energies, 25 / 3)
        np.testing.assert_allclose(part.powers, 3 * 0.75)

    def test_errors_weigh_as_much_as_what_they_multiply(self):
        loud = VALUES["b"] * np.array([[1.0], [2.0], [0.0], [1.0]], np.float32)
        _, _, part = weight_of("c", values={"b": loud})
        np.testing.assert_allclose(part.powers[0], [0.75, 3.0, 3.0 * FAINTEST**2 / 16, 0.75])

    def test_and_as_what_comes_out_of_them(self):
        _, _, part = weight_of("c", w=np.ones((4, 4, 1, 1)) * np.array([1.0, 2.0, 3.0, 0.0]).reshape(1, 4, 1, 1))
        np.testing.assert_allclose(part.gains, 0.5 * 4 * np.array([1.0, 4.0, 9.0, 0.0]))

    def test_with_one_scale_for_all_it_depends_on_the_units_of_what_it_makes_as_well(self):
        lanes, _, part = weight_of("c", cut=WHOLE)
        np.testing.assert_array_equal(part.makes, lanes.scales[lanes.vector("c")])
