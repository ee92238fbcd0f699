"""Words and YAML files become a Preprocess."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from onnxq.catalog.presets.caffe import CAFFE
from onnxq.catalog.presets.imagenet import IMAGENET
from onnxq.core.preprocess import Preprocess
from onnxq.data.preprocess import _PARSERS, preprocess_from
from onnxq.errors import RecipeError

PRESETS = r"imagenet, inception, caffe, yolo, unit"
KEYS = "resize, crop, letterbox, interpolation, color, scale, mean, std, layout"


def refusal(text):
    return pytest.raises(RecipeError, match=f"^{text}")


def test_every_field_has_a_parser():
    assert list(_PARSERS) == [field.name for field in fields(Preprocess)]


class TestTokens:
    def test_a_preset(self):
        assert preprocess_from(["imagenet"]) == IMAGENET.preprocess

    @pytest.mark.parametrize(
        ("token", "field", "value"),
        [
            ("resize=256", "resize", 256),
            ("resize=320x240", "resize", (320, 240)),
            ("resize=none", "resize", None),
            ("crop=224", "crop", 224),
            ("crop=224X192", "crop", (224, 192)),
            ("interpolation=Bicubic", "interpolation", "bicubic"),
            ("color=bgr", "color", "bgr"),
            ("scale=1/255", "scale", 1 / 255),
            ("scale=1e-2", "scale", 0.01),
            ("mean=0.485, 0.456, 0.406", "mean", (0.485, 0.456, 0.406)),
            ("mean=127.5", "mean", (127.5,)),
            ("std=58.395,57.12,57.375", "std", (58.395, 57.12, 57.375)),
            ("std=1/2", "std", (0.5,)),
            ("layout=NHWC", "layout", "nhwc"),
        ],
    )
    def test_a_key_and_its_value(self, token, field, value):
        assert preprocess_from([token]) == Preprocess(**{field: value})

    def test_a_letterbox(self):
        given = preprocess_from(["letterbox=114", "resize=640x640"])
        assert (given.letterbox, given.resize) == (114, (640, 640))
        assert preprocess_from(["yolo", "letterbox=none"]).letterbox is None

    def test_the_last_of_one_key_wins(self):
        given = preprocess_from(["imagenet", "resize=320x320", "crop=none", "resize=352x352"])
        assert (given.resize, given.crop, given.mean) == ((352, 352), None, IMAGENET.preprocess.mean)

    def test_only_the_whole_must_make_sense(self):
        """Three means for one channel, on the way."""
        assert preprocess_from(["imagenet", "color=gray", "mean=0.449", "std=0.226"]).mean == (0.449,)


class TestRefusedTokens:
    def test_nothing(self):
        with refusal(rf"Say what images go through: a preset \({PRESETS}\), a YAML file or key=value\.$"):
            preprocess_from([])

    def test_an_unknown_preset(self):
        with refusal(
            rf"'imagnet' is no preset, no YAML file and no key=value\. Presets: {PRESETS}\. Keys: {KEYS}\. "
            r"Did you mean 'imagenet', 'inception'\?$"
        ):
            preprocess_from(["imagnet"])

    def test_an_unknown_key(self):
        with refusal(rf"Unknown key 'reszie' of the preprocessing\. Keys: {KEYS}\. Did you mean 'resize'\?$"):
            preprocess_from(["reszie=3"])

    @pytest.mark.parametrize(
        ("token", "message"),
        [
            ("resize=big", r"resize must be none, .* such as 320x240\. Got 'big'\.$"),
            ("resize=", r"resize must be none, .*\. Got ''\.$"),
            ("resize=-1", r"resize must be none, .*\. Got '-1'\.$"),
            ("scale=1/0", r"scale must be a number other than 0, such as 1/255\. Got '1/0'\.$"),
            ("mean=0.1,x", r"mean must be a list of numbers, .* Got \(0\.1, 'x'\)\.$"),
            ("letterbox=gray", r"letterbox must be none or a gray from 0 to 255\. Got 'gray'\.$"),
            ("color=rbg", r"Unknown color 'rbg'\. Choose one of: rgb, bgr, gray\."),
        ],
    )
    def test_an_impossible_value(self, token, message):
        with refusal(message):
            preprocess_from([token])

    @pytest.mark.parametrize(("before", "named"), [("color=bgr", "color=bgr"), ("imagenet", "preset=imagenet")])
    def test_a_preset_that_would_undo_what_precedes_it(self, before, named):
        with refusal(rf"The preset 'caffe' would undo '{named}', which precedes it\. Put it first\.$"):
            preprocess_from([before, "caffe"])


class TestYaml:
    @pytest.fixture
    def write(self, tmp_path):
        def _write(text, name="images.yaml"):
            (tmp_path / name).write_text(text)
            return str(tmp_path / name)

        return _write

    def test_a_mapping_of_the_same_keys(self, write):
        path = write(
            "resize: 256\ncrop: [224, 192]\ninterpolation: bicubic\ncolor: bgr\nscale: 1/255\n"
            "mean: [0.5, 0.25, 1e-3]\nstd: 0.5\nlayout: nhwc\n"
        )
        assert preprocess_from([path]) == Preprocess(
            resize=256,
            crop=(224, 192),
            interpolation="bicubic",
            color="bgr",
            scale=1 / 255,
            mean=(0.5, 0.25, 1e-3),
            std=(0.5,),
            layout="nhwc",
        )

    def test_a_preset_wherever_it_stands(self, write):
        given = preprocess_from([write("resize: 300x200\ncrop: null\npreset: caffe\n"), "layout=nhwc"])
        assert (given.resize, given.crop, given.mean) == ((300, 200), None, CAFFE.preprocess.mean)
        assert given.layout == "nhwc"

    def test_a_file_changes_a_preset_that_precedes_it(self, write):
        assert preprocess_from(["imagenet", write("crop: none", "x.yml")]).crop is None

    def test_any_file_will_do(self, write):
        assert preprocess_from([write('{"resize": [8, 9]}', "images.json")]).resize == (8, 9)

    @pytest.mark.parametrize("text", ["resize: [1, 2\ncrop: 3\n", "resize: 1\ncrop: 'a\n"])
    def test_broken_syntax_names_file_and_line(self, write, text):
        path = write(text)
        with refusal(rf"'{re.escape(path)}', line [23] is no YAML: .+\.$"):
            preprocess_from([path])

    @pytest.mark.parametrize(("text", "found"), [("", "None"), ("[1]", r"\[1\]"), ("imagenet", "'imagenet'")])
    def test_no_mapping(self, write, text, found):
        path = write(text)
        with refusal(rf"'{re.escape(path)}' must hold keys and values such as 'resize: 256'\. Got {found}\.$"):
            preprocess_from([path])

    def test_an_unknown_key(self, write):
        path = write("reszie: 3")
        with refusal(
            rf"Unknown key 'reszie' of the preprocessing\. Keys: {KEYS}\. Did you mean 'resize'\? "
            rf"This is in '{re.escape(path)}'\.$"
        ):
            preprocess_from([path])

    def test_an_unknown_preset(self, write):
        with refusal(rf"Unknown preset 'imagnet'\. Choose one of: {PRESETS}\. Did you mean 'imagenet', 'inception'\?$"):
            preprocess_from([write("preset: imagnet")])

    @pytest.mark.parametrize("value", ["true", "{a: 1}", "2020-01-01"])
    def test_values_of_other_types(self, write, value):
        with refusal(r"resize must be none, .*\. Got "):
            preprocess_from([write(f"resize: {value}")])

    def test_a_missing_file(self, tmp_path):
        with refusal(rf"'{re.escape(str(tmp_path))}/no\.yaml' cannot be read: .*No such file"):
            preprocess_from([str(tmp_path / "no.yaml")])

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00"], ids=["no text", "control character"])
    def test_no_text(self, tmp_path, content):
        (tmp_path / "x.yaml").write_bytes(content)
        with refusal(rf"'{re.escape(str(tmp_path))}/x\.yaml' cannot be read: "):
            preprocess_from([str(tmp_path / "x.yaml")])

    def test_nothing_is_executed(self, write):
        path = write("resize: !!python/object/apply:os.getcwd []")
        with refusal(rf"'{re.escape(path)}', line 1 is no YAML: could not determine a constructor"):
            preprocess_from([path])
