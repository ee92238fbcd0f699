"""What images go through: the geometry of torchvision, and (x * scale - mean) / std in float32."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.preprocess import CHANNELS, INTERPOLATIONS, Preprocess
from onnxq.errors import RecipeError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


class TestArithmetic:
    def test_without_fields_the_pixels_are_fed_as_they_are(self):
        np.testing.assert_array_equal(Preprocess(layout="nhwc").sample(PIXELS), PIXELS.astype(np.float32))
        assert not Preprocess().computes

    def test_a_product_a_difference_and_a_quotient_in_float32(self):
        scale, mean, std = np.float32(1 / 255), np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
        expected = ((PIXELS.astype(np.float32) * scale - mean) / std).transpose(2, 0, 1)
        given = Preprocess(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)).sample(PIXELS)
        assert given.dtype == np.float32
        assert given.flags.c_contiguous
        np.testing.assert_array_equal(given, expected)

    def test_mean_and_std_are_in_the_order_of_the_channels_that_are_fed(self):
        given = Preprocess(color="bgr", mean=(10, 20, 30), std=(1, 2, 3), layout="nhwc").sample(PIXELS)
        np.testing.assert_array_equal(given, (PIXELS[..., ::-1] - np.float32([10, 20, 30])) / np.float32([1, 2, 3]))

    def test_one_number_stands_for_all_channels(self):
        given = Preprocess(mean=(127.5,), std=(127.5,), layout="nhwc").sample(PIXELS)
        np.testing.assert_array_equal(given, (PIXELS - np.float32(127.5)) / np.float32(127.5))

    @pytest.mark.parametrize(("layout", "shape"), [("nchw", (1, 5, 7)), ("nhwc", (5, 7, 1))])
    def test_gray_has_one_channel(self, layout, shape):
        assert Preprocess(color="gray", layout=layout).sample(PIXELS[..., :1]).shape == shape

    @pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float64"])
    def test_other_types_hold_the_same_numbers(self, dtype):
        given = Preprocess(layout="nhwc").sample(PIXELS, dtype)
        assert given.dtype == dtype
        np.testing.assert_array_equal(given, PIXELS)

    @pytest.mark.parametrize("field", [{"scale": 2.0}, {"mean": (0, 1, 0)}, {"std": (2,)}])
    def test_whether_anything_is_computed(self, field):
        assert Preprocess(**field).computes


class TestGeometry:
    """Sizes are (height, width)."""

    @pytest.mark.parametrize(
        ("resize", "size", "expected"),
        [
            (None, (375, 500), (375, 500)),
            (256, (375, 500), (256, 341)),  # int(256 * 500 / 375) = int(341.33)
            (256, (500, 375), (341, 256)),
            (256, (334, 500), (256, 383)),  # int(383.23)
            (256, (10, 10), (256, 256)),
            ((320, 240), (375, 500), (320, 240)),
        ],
    )
    def test_resizing_as_torchvision_does(self, resize, size, expected):
        assert Preprocess(resize=resize).resized(size) == expected

    @pytest.mark.parametrize(
        ("size", "expected"),
        [((480, 640), (480, 640)), ((1080, 810), (640, 480)), ((100, 50), (640, 320)), ((1, 5000), (1, 640))],
    )
    def test_a_letterbox_keeps_proportions(self, size, expected):
        boxed = Preprocess(resize=(640, 640), letterbox=114)
        assert boxed.resized(size) == expected
        assert boxed.shape(size) == (3, 640, 640)

    @pytest.mark.parametrize(
        ("crop", "size", "expected"),
        [
            (None, (256, 341), (0, 0, 256, 341)),
            (224, (256, 341), (16, 58, 240, 282)),  # round(58.5) = 58: to even, as torchvision rounds
            (224, (256, 343), (16, 60, 240, 284)),  # round(59.5) = 60
            ((200, 300), (256, 341), (28, 20, 228, 320)),
        ],
    )
    def test_cropping_the_centre_as_torchvision_does(self, crop, size, expected):
        assert Preprocess(crop=crop).cropped(size) == expected

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (Preprocess(), None),
            (Preprocess(resize=256), None),
            (Preprocess(resize=(256, 300)), (256, 300)),
            (Preprocess(resize=256, crop=224), (224, 224)),
            (Preprocess(crop=(10, 20)), (10, 20)),
        ],
    )
    def test_whether_all_samples_have_one_size(self, given, expected):
        assert given.size == expected

    @pytest.mark.parametrize(("layout", "expected"), [("nchw", (1, 256, 341)), ("nhwc", (256, 341, 1))])
    def test_the_shape_of_a_sample(self, layout, expected):
        assert Preprocess(resize=256, color="gray", layout=layout).shape((375, 500)) == expected


class TestValidation:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"interpolation": "bicubc"}, r"Unknown interpolation 'bicubc'\. Choose one of: bilinear, .*'bicubic'"),
            ({"color": "bgra"}, r"Unknown color 'bgra'\. Choose one of: rgb, bgr, gray\. Did you mean 'bgr'"),
            ({"layout": "hwc"}, r"Unknown layout 'hwc'\. Choose one of: nchw, nhwc\. Did you mean 'nhwc'"),
            ({"resize": 0}, r"resize must be none, the length of the shorter side, or height and .* 320x240\. Got 0\."),
            ({"resize": (0, 5)}, r"resize must be none, .*\. Got \(0, 5\)\."),
            ({"resize": (1, 2, 3)}, r"resize must be none, .*\. Got \(1, 2, 3\)\."),
            ({"resize": True}, r"resize must be none, .*\. Got True\."),
            ({"crop": "big"}, r"crop must be none, the side of a square, or height and width .*\. Got 'big'\."),
            ({"letterbox": 256, "resize": (2, 2)}, r"letterbox must be none or a gray from 0 to 255\. Got 256\."),
            ({"letterbox": 0, "resize": 2}, r"letterbox fits an .* a width\. Write resize=640x640\. Got resize=2\."),
            ({"letterbox": 0}, r"letterbox fits .*\. Got resize=None\."),
            ({"scale": 0}, r"scale must be a number other than 0, such as 1/255\. Got 0\."),
            ({"scale": float("nan")}, r"scale must be a number other than 0, such as 1/255\. Got nan\."),
            ({"scale": "1/0"}, r"scale must be a number other than 0, such as 1/255\. Got '1/0'\."),
            ({"mean": 0.5}, r"mean must be a list of numbers, one for each channel or one for all\. Got 0\.5\."),
            ({"mean": ("a",)}, r"mean must be a list of numbers, .*\. Got \('a',\)\."),
            ({"std": (1, 1)}, r"std needs 1 or 3 numbers for color=rgb\. Got 1, 1\."),
            ({"std": ()}, r"std needs 1 or 3 numbers for color=rgb\. Got \."),
            ({"std": (1, 1, 1), "color": "gray"}, r"std needs 1 numbers for color=gray\. Got 1, 1, 1\."),
            ({"std": (1, 0, 1)}, r"std must be above 0\. Got 1, 0, 1\."),
        ],
    )
    def test_what_is_refused(self, fields, message):
        with pytest.raises(RecipeError, match=f"^{message}"):
            Preprocess(**fields)

    @pytest.mark.parametrize("name", ["mean", "std"])
    def test_figures_for_pixels_from_0_to_255_are_no_figures_for_scaled_ones(self, name):
        """Fed, they would give nearly constant inputs, and a model calibrated on nothing."""
        with pytest.raises(
            RecipeError,
            match=rf"^{name} 123\.675 is more than pixels reach with scale=0\.00392157: 1\.00392\. mean and std are in "
            r"units after scaling: divide them by 255, or write scale=1\.$",
        ):
            Preprocess(scale=1 / 255, **{name: (123.675, 116.28, 103.53)})

    @pytest.mark.parametrize(
        "fields", [{"std": (256,)}, {"scale": 1 / 127.5, "mean": (1,)}, {"scale": -1, "mean": (-255,)}]
    )
    def test_usual_figures_pass(self, fields):
        assert Preprocess(**fields).computes

    def test_the_filters_and_colours_are_all_accepted(self):
        assert {Preprocess(interpolation=name).interpolation for name in INTERPOLATIONS} == set(INTERPOLATIONS)
        assert {name: Preprocess(color=name).channels for name in CHANNELS} == {"rgb": 3, "bgr": 3, "gray": 1}
