"""Presets: each computes what its source says, on black, gray and white."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.catalog import pick
from onnxq.catalog.presets import PRESETS

PHOTO = (375, 500)
PIXELS = np.array([[[0, 0, 0], [128, 128, 128], [255, 255, 255], [255, 0, 0]]], np.uint8)
"""Black, gray, white, red: (1, 4, 3)."""


def sample(name):
    """(4 pixels, 3 channels)"""
    preprocess = pick(PRESETS, name, "preset").preprocess
    made = preprocess.sample(PIXELS)
    return (made.transpose(1, 2, 0) if preprocess.layout == "nchw" else made)[0]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_says_what_it_is_and_where_that_is_written(preset):
    assert preset.doc
    assert preset.source


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("imagenet", (3, 224, 224)),
        ("inception", (299, 299, 3)),
        ("caffe", (3, 224, 224)),
        ("yolo", (3, 640, 640)),
        ("unit", (3, 375, 500)),
    ],
)
def test_the_shape_of_a_photo(name, shape):
    assert pick(PRESETS, name, "preset").preprocess.shape(PHOTO) == shape


def test_imagenet_is_normalized_by_the_mean_and_deviation_of_each_channel():
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(sample("imagenet"), (PIXELS[0] / 255 - mean) / std, atol=1e-6)


def test_inception_lies_between_minus_1_and_1():
    np.testing.assert_allclose(sample("inception"), PIXELS[0] / 127.5 - 1, atol=1e-6)


def test_caffe_is_blue_first_less_the_mean():
    np.testing.assert_array_equal(sample("caffe"), PIXELS[0][:, ::-1] - np.array([104.0, 117.0, 123.0]))


@pytest.mark.parametrize("name", ["unit", "yolo"])
def test_pixels_from_0_to_1(name):
    np.testing.assert_allclose(sample(name), PIXELS[0] / 255, atol=1e-7)


def test_yolo_fills_up_with_gray():
    yolo = pick(PRESETS, "yolo", "preset").preprocess
    assert (yolo.letterbox, yolo.resized(PHOTO)) == (114, (480, 640))
