"""Calibration caches of TensorRT: read to the bit, and refused where a scale would be guessed."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxq.core.calibration_cache import CalibrationCache
from onnxq.errors import DataError

HEADER = "TRT-8601-EntropyCalibration2"
LARGEST = 2.0**121  # 127 times the next power of two is no float32
SMALLEST = float(np.finfo(np.float32).tiny)

RESNET = """TRT-7000-EntropyCalibration2
data: 3caa54fc
(Unnamed Layer* 0) [Convolution]_output: 3d6969df
onnx::Conv_329: 3c96d93c
input:0: 3c010a14
/layer1/relu/Relu_output_0: 3b9b34cf
"""


def cache(*entries, header=HEADER):
    return CalibrationCache.from_text("\n".join([header, *entries]) + "\n", "calib.cache")


def bits(scale):
    return struct.pack(">f", scale).hex()


class TestWhatIsRead:
    def test_the_first_line_has_the_version_and_the_algorithm(self):
        made = cache("x: 3c010a14")
        assert (made.version, made.algorithm) == ("8601", "EntropyCalibration2")

    @pytest.mark.parametrize("algorithm", ["EntropyCalibration", "MinMaxCalibration", "LegacyCalibration"])
    @pytest.mark.parametrize("version", ["7000", "8XXX", "100300"])
    def test_any_version_and_algorithm_will_do(self, version, algorithm):
        made = cache("x: 3c010a14", header=f"TRT-{version}-{algorithm}")
        assert (made.version, made.algorithm) == (version, algorithm)

    def test_names_with_colons_and_spaces_are_kept(self):
        made = CalibrationCache.from_text(RESNET, "calib.cache")
        assert list(made.scales) == [
            "data",
            "(Unnamed Layer* 0) [Convolution]_output",
            "onnx::Conv_329",
            "input:0",
            "/layer1/relu/Relu_output_0",
        ]

    def test_a_scale_is_a_float32_with_the_most_significant_digits_first(self):
        """3c010a14 is what TensorRT's documentation shows for probabilities: amplitude 1, up to its bins."""
        scale = cache("x: 3c010a14").scales["x"]
        assert scale.dtype == np.float32
        assert scale.view(np.uint32) == 0x3C010A14
        assert abs(float(scale) * 127 - 1) < 1e-3

    @given(st.floats(SMALLEST, LARGEST, width=32))
    def test_every_bit_of_a_scale_is_kept(self, scale):
        assert cache(f"x: {bits(scale)}").scales == {"x": np.float32(scale)}

    @pytest.mark.parametrize(
        "text",
        [
            f"{HEADER}\r\nx: 3c010a14\r\ny: 3d6969df\r\n",
            f"\ufeff{HEADER}\nx: 3c010a14\ny: 3d6969df",
            f"{HEADER}  \n\nx: 3c010a14  \ny: 3d6969df\n\n\n",
            f"{HEADER}\nx: 3C010A14\ny:  3d6969df\n",
            f"{HEADER}\nx: 3c010a14\ny: 3d6969df\nx: 3c010a14\n",
        ],
        ids=["CRLF", "byte order mark", "blanks", "spelling", "said twice"],
    )
    def test_how_the_file_was_kept_does_not_matter(self, text):
        assert CalibrationCache.from_text(text, "calib.cache") == cache("x: 3c010a14", "y: 3d6969df")

    @pytest.mark.parametrize("zero", ["00000000", "0", bits(1e-40)], ids=["zero", "short zero", "denormal"])
    def test_a_tensor_without_a_range_counts_as_missing(self, zero):
        made = cache("x: 3c010a14", f"y: {zero}")
        assert (list(made.scales), made.dead) == (["x"], {"y"})


class TestWhatIsRefused:
    @pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
    def test_an_empty_file(self, text):
        with pytest.raises(DataError, match=r"^c is empty. A calibration cache starts with a line like 'TRT-8601-"):
            CalibrationCache.from_text(text, "c")

    @pytest.mark.parametrize("first", ["{", "TRT-8601", "EntropyCalibration2", "TRT 8601 EntropyCalibration2"])
    def test_a_file_that_is_no_cache(self, first):
        message = f"^calib.cache is no calibration cache of TensorRT: it starts with '{first}', not like 'TRT-8601-"
        with pytest.raises(DataError, match=message):
            cache("x: 3c010a14", header=first)

    def test_a_file_of_one_long_line(self):
        with pytest.raises(DataError, match=f"it starts with '{'x' * 60}...', not like"):
            CalibrationCache.from_text("x" * 10_000, "c")

    def test_a_cache_that_lost_its_first_line(self):
        with pytest.raises(DataError, match=r"starts with 'x: 3c010a14', .* put 'TRT-8601-.*' before it\.$"):
            CalibrationCache.from_text("x: 3c010a14\n", "c")

    @pytest.mark.parametrize(
        "line",
        [
            "x: 3c01",
            "x: 3c010a1",
            "x: 3c010a145",
            "x: 3c010a1g",
            "x: 0.0078",
            "x: 0x3c010a14",
            "x",
            ": 3c010a14",
            "x: ",
        ],
    )
    def test_a_line_without_eight_digits(self, line):
        message = f"^calib.cache, line 3: '{line.rstrip()}' is no tensor with a scale of eight hexadecimal digits"
        with pytest.raises(DataError, match=message):
            cache("a: 3c010a14", line)

    def test_a_long_line(self):
        with pytest.raises(DataError, match=f"line 2: '{'x' * 60}...' is no tensor"):
            cache("x" * 10_000)

    @pytest.mark.parametrize(
        ("word", "number"),
        [("7f800000", "inf"), ("7fc00000", "nan"), ("ff800000", "-inf"), ("bc010a14", "-0.007"), ("7f7fffff", "3.4")],
    )
    def test_a_scale_that_nothing_can_be_stored_with(self, word, number):
        message = (
            rf"^calib.cache, line 2: the scale of 'x' is {number}.*\({word}\).*Delete the line, so that the tensor"
        )
        with pytest.raises(DataError, match=message):
            cache(f"x: {word}", "y: 3c010a14")

    def test_a_tensor_with_two_scales(self):
        message = "^calib.cache, line 4: 'x' has the scale 3d6969df here and 3c010a14 on line 2. Delete one of the two"
        with pytest.raises(DataError, match=message):
            cache("x: 3c010a14", "y: 3c010a14", "x: 3d6969df")

    def test_a_cache_without_entries(self):
        with pytest.raises(DataError, match=r"^calib.cache has no scale: nothing follows its first line. Calibrate"):
            cache()

    def test_a_cache_of_zeros(self):
        with pytest.raises(DataError, match=r"^calib.cache has no scale: each of its 2 scales is 0. Calibrate again"):
            cache("x: 00000000", "y: 00000000")


class TestForTheActivationsOfAPlan:
    def test_it_gives_the_scales_that_it_has(self):
        known = cache("y: 3d6969df", "z: 3c010a14", "x: 3b9b34cf").known(["x", "y", "w"])
        assert known.source == "TensorRT cache"
        assert {tensor: bits(scale) for tensor, scale in known.scales.items()} == {"x": "3b9b34cf", "y": "3d6969df"}

    def test_the_cache_of_another_model_is_refused_with_near_misses(self):
        message = (
            "^calib.cache belongs to another model: of the 2 activations to be quantized, such as 'input.1', it has "
            r"none. It has 2 others, such as 'images'. Did you mean 'input_1'\? Give the cache of this model.$"
        )
        with pytest.raises(DataError, match=message):
            cache("images: 3c010a14", "input_1: 3c010a14").known(["input.1", "86"])

    def test_a_zero_scale_still_shows_whose_cache_it_is(self):
        assert cache("x: 00000000", "y: 3c010a14").known(["x"]).scales == {}

    def test_a_plan_without_activations_needs_none(self):
        assert cache("x: 3c010a14").known([]).scales == {}
