"""What is known of means behind BatchNormalization, and where that ends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.core.expectation import expectations
from onnxq.core.normal import Normal

SHAPE = (2, 4, 6, 6)
X = Normal(np.array([0.0, 1.0, -2.0, 0.5]), np.array([1.0, 0.5, 1.0, 3.0]))
Y = Normal(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.2, 0.3, 0.4]))
RELU = X.clipped(0.0, math.inf)[0]


def known(text, shapes=None, **constants):
    """What is known in a graph where BatchNormalization made x and y."""
    tensors = dict.fromkeys("abcdexy", SHAPE) | (shapes or {})
    view = sketch(text, tensors)
    view = replace(view, constants=view.constants | constants, normals={"x": X, "y": Y})
    view = replace(view, nodes=(*sketch("x = BatchNormalization(p)\ny = BatchNormalization(q)").nodes, *view.nodes))
    return expectations(view)


def mean(text, tensor="a", **more):
    return known(text, **more)[tensor].mean.ravel()


def indices(*values):
    return np.array(values, np.int64)


def test_what_batchnorm_makes_has_the_mean_and_the_variance_that_it_says():
    found = known("a = Relu(x)")["x"]
    assert found.mean.shape == (1, 4, 1, 1)
    np.testing.assert_array_equal(found.mean.ravel(), X.mean)
    np.testing.assert_array_equal(found.variance.ravel(), X.deviation**2)


def test_it_is_told_of_folded_pairs_too():
    view = replace(
        sketch("x = Conv(p, w[4,4,1,1])\na = Relu(x)", {"x": SHAPE, "p": SHAPE, "a": SHAPE}), normals={"x": X}
    )
    np.testing.assert_allclose(expectations(view)["a"].mean.ravel(), RELU)


class TestBends:
    def test_relu(self):
        np.testing.assert_allclose(mean("a = Relu(x)"), RELU)

    def test_clip(self):
        bounds = {"l": np.float32(-1), "h": np.float32(2)}
        np.testing.assert_allclose(mean("a = Clip(x, l[], h[])", **bounds), X.clipped(-1.0, 2.0)[0])

    def test_leaky_relu(self):
        np.testing.assert_allclose(mean("a = LeakyRelu(x)"), X.leaky(np.array(0.01))[0])

    def test_prelu_with_a_slope_for_each_channel(self):
        slopes = np.array([0.1, 0.2, 0.3, 0.4], np.float32).reshape(4, 1, 1)
        np.testing.assert_allclose(mean("a = PRelu(x, s[4,1,1])", s=slopes), X.leaky(slopes.ravel())[0])

    @pytest.mark.parametrize("text", ["a = Clip(x, l)", "a = PRelu(x, s)"])
    def test_bounds_and_slopes_that_are_computed_tell_nothing(self, text):
        assert "a" not in known(text)

    def test_a_second_bend_is_of_nothing_normal(self):
        assert "b" not in known("a = Relu(x)\nb = Clip(a, l[])")


class TestMoves:
    def test_transpose_and_reshape_take_means_along(self):
        text = "a = Transpose(x) perm=0,2,3,1\nb = Reshape(a, s[2])"
        found = known(text, {"a": (2, 6, 6, 4), "b": (72, 4)}, s=indices(72, 4))
        np.testing.assert_array_equal(found["b"].along(-1, 4), X.mean)

    def test_a_shuffle_of_channels_shuffles_means(self):
        text = "a = Reshape(x, s[5])\nb = Transpose(a) perm=0,2,1,3,4\nc = Reshape(b, t[4])"
        shapes = {"a": (2, 2, 2, 6, 6), "b": (2, 2, 2, 6, 6), "c": SHAPE}
        found = known(text, shapes, s=indices(2, 2, 2, 6, 6), t=indices(2, 4, 6, 6))
        np.testing.assert_array_equal(found["c"].along(1, 4), X.mean[[0, 2, 1, 3]])

    def test_concat_has_those_of_all_parts(self):
        found = mean("a = Concat(x, y) axis=1", shapes={"a": (2, 8, 6, 6)})
        np.testing.assert_array_equal(found, [*X.mean, *Y.mean])

    def test_an_unknown_part_is_unknown_alone(self):
        found = mean("a = Concat(z, x) axis=1", shapes={"z": SHAPE, "a": (2, 8, 6, 6)})
        np.testing.assert_array_equal(found, [*[np.nan] * 4, *X.mean])

    def test_split_takes_apart(self):
        shapes = {"a": (2, 1, 6, 6), "b": (2, 3, 6, 6)}
        found = known("a, b = Split(x, s[2]) axis=1", shapes, s=indices(1, 3))
        np.testing.assert_array_equal(found["b"].along(1, 3), X.mean[1:])

    def test_new_channels_of_zeros_have_the_mean_0(self):
        found = mean("a = Pad(x, p[8])", shapes={"a": (2, 6, 6, 6)}, p=indices(0, 1, 0, 0, 0, 1, 0, 0))
        np.testing.assert_array_equal(found, [0, *X.mean, 0])

    def test_new_channels_of_another_number_have_that_as_their_mean(self):
        """Zeros that full-range has moved."""
        pads = {"p": indices(1, 1), "v": np.float32(-3.0), "i": indices(1)}
        found = known("a = Pad(x, p[2], v[], i[1])", {"a": (2, 6, 6, 6)}, **pads)["a"]
        assert found.mean.ravel().tolist() == [-3.0, *X.mean, -3.0]
        assert found.variance.ravel().tolist() == [0.0, *X.deviation**2, 0.0]

    @pytest.mark.parametrize("text", ["a = Pad(x, z)", "a = Pad(x, p[8]) mode=1"])
    def test_what_is_padded_with_something_unknown_is_unknown(self, text):
        assert "a" not in known(text, p=indices(0, 1, 0, 0, 0, 1, 0, 0))

    def test_zeros_around_an_image_change_its_mean(self):
        assert "a" not in known("a = Pad(x, p[8])", {"a": (2, 4, 8, 8)}, p=indices(0, 0, 1, 1, 0, 0, 1, 1))


class TestSums:
    def test_means_and_variances_add_up(self):
        found = known("a = Add(x, y)")["a"]
        np.testing.assert_array_equal(found.mean.ravel(), X.mean + Y.mean)
        np.testing.assert_allclose(found.variance.ravel(), X.deviation**2 + Y.deviation**2)

    def test_a_relu_behind_a_residual_sum_takes_it_to_be_normal(self):
        deviation = np.sqrt(X.clipped(0.0, math.inf)[1] + Y.deviation**2)
        right = Normal(RELU + Y.mean, deviation).clipped(0.0, math.inf)[0]
        np.testing.assert_allclose(mean("a = Relu(x)\nb = Add(y, a)\nc = Relu(b)", "c"), right)

    def test_constants_shift_and_stretch(self):
        moved = {"k": np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1, 1), "f": np.float32(2)}
        found = known("a = Add(k[1,4,1,1], x)\nb = Mul(a, f[])\nc = Relu(b)", **moved)["c"]
        right = Normal((X.mean + np.array([1, 2, 3, 4])) * 2, X.deviation * 2).clipped(0.0, math.inf)
        np.testing.assert_allclose([found.mean.ravel(), found.variance.ravel()], right)

    @pytest.mark.parametrize("text", ["a = Add(x, x)", "a = Add(x, z)", "a = Mul(x, y)"])
    def test_what_depends_on_each_other_or_is_unknown_has_no_sum(self, text):
        assert "a" not in known(text, {"z": SHAPE})


class TestMeans:
    def test_pools_that_average_keep_the_mean_and_lose_the_variance(self):
        found = known("a = GlobalAveragePool(x)\nb = Relu(a)", {"a": (2, 4, 1, 1), "b": (2, 4, 1, 1)})
        np.testing.assert_array_equal(found["a"].mean.ravel(), X.mean)
        assert np.isnan(found["a"].variance).all()
        assert "b" not in found

    def test_a_mean_over_the_image_may_drop_its_axes(self):
        text = "a = ReduceMean(x, s[2]) keepdims=0"
        assert mean(text, shapes={"a": (2, 4)}, s=indices(2, 3)).tolist() == X.mean.tolist()

    @pytest.mark.parametrize(("counts", "is_known"), [(0, True), (1, False)])
    def test_zeros_that_are_averaged_too_change_it(self, counts, is_known):
        text = f"a = AveragePool(x) kernel_shape=3,3 pads=1,1,1,1 count_include_pad={counts}"
        assert ("a" in known(text)) == is_known


@pytest.mark.parametrize("op", ["MaxPool", "Sigmoid", "Resize", "Softmax"])
def test_behind_other_operators_nothing_is_known(op):
    found = known(f"a = {op}(x)\nb = Relu(a)")
    assert not {"a", "b"} & found.keys()


def test_a_convolution_ends_it():
    assert "a" not in known("a = Conv(x, w[4,4,1,1])")


def test_without_a_shape_nothing_is_told():
    view = replace(sketch("a = Relu(x)"), normals={"x": X})
    assert expectations(view) == {}


def test_along_other_axes_the_mean_is_taken():
    spread = known("a = Add(x, k[1,4,6,6])", k=np.arange(144, dtype=np.float32).reshape(1, 4, 6, 6))["a"]
    np.testing.assert_allclose(spread.along(1, 4), X.mean + np.arange(144).reshape(4, 36).mean(1))
