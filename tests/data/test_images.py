"""A folder of images as calibration data."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxq.core.batch import InputSpec
from onnxq.core.preprocess import Preprocess
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.image_file import read_pixels
from onnxq.data.images import IMAGES, OneByOne, image_names
from onnxq.data.kind import Request
from onnxq.data.preprocess import preprocess_from
from onnxq.errors import DataError

ZOO = Path(os.environ.get("ONNXQ_ZOO", "/nonexistent"))
ANY = InputSpec("x", "float32", (None, 3, None, None))
FIXED = InputSpec("x", "float32", (None, 3, 8, 8))
SMALL = Preprocess(resize=(8, 8))
NAMES = ["10.png", "2.png", "cat/1.JPG", "dog/3.webp", "dog/puppy/4.bmp"]


def draw(path, height=10, width=12, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(NAMES):
        draw(tmp_path / "data" / name, seed=number)
    return tmp_path / "data"


def opened(folder, spec=FIXED, preprocess=SMALL, first=None, batch_size=32):
    return source(Samples(folder, preprocess, first), Request([spec], batch_size))


def refusal(text):
    return pytest.raises(DataError, match=f"^{text}")


class TestWhichFiles:
    def test_images_in_all_subfolders_in_the_order_of_their_paths(self, folder):
        assert sorted(image_names(folder)) == NAMES

    def test_other_files_and_hidden_ones_are_left_out(self, folder):
        for name in ("labels.txt", ".hidden.png", ".cache/5.png", "dog/._3.webp", "a.gif", "png"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"")
        assert sorted(image_names(folder)) == NAMES

    def test_a_folder_is_recognized_by_its_first_image(self, folder, tmp_path):
        assert IMAGES.recognizes(folder)
        (tmp_path / "empty").mkdir()
        assert not IMAGES.recognizes(tmp_path / "empty")
        assert not IMAGES.recognizes(folder / "2.png")

    def test_a_folder_without_images(self, tmp_path):
        with refusal(rf"'{re.escape(str(tmp_path))}' is none of: .*a folder of images \(\.jpg, \.jpeg, \.png, "):
            opened(tmp_path)

    def test_a_folder_that_cannot_be_read(self, folder, monkeypatch):
        monkeypatch.setattr("os.scandir", _denied)
        with refusal(rf"The folder '{re.escape(str(folder))}' cannot be read: Permission denied\.$"):
            opened(folder)


class TestBatches:
    def test_every_image_comes_once_and_in_order(self, folder):
        expected = [SMALL.sample(read_pixels(folder / name, SMALL)) for name in NAMES]
        for size in (1, 2, 32):
            given = opened(folder, batch_size=size)
            assert len(given) == 5
            fed = [batch.feeds["x"] for batch in given.batches()]
            np.testing.assert_array_equal(np.concatenate(fed), expected)
            assert {(part.dtype.name, part.shape[1:]) for part in fed} == {("float32", (3, 8, 8))}

    def test_a_fixed_batch_is_filled_up(self, folder):
        batches = list(opened(folder, replace(FIXED, shape=(4, 3, 8, 8))).batches())
        assert [(batch.samples, batch.padded, len(batch.feeds["x"])) for batch in batches] == [(4, 0, 4), (1, 3, 4)]

    def test_an_input_without_a_batch_axis(self, folder):
        shapes = {batch.feeds["x"].shape for batch in opened(folder, replace(FIXED, shape=(3, 8, 8))).batches()}
        assert shapes == {(3, 8, 8)}

    def test_an_input_of_unknown_shape(self, folder):
        assert next(opened(folder, replace(FIXED, shape=None)).batches()).feeds["x"].shape == (5, 3, 8, 8)

    def test_messages_name_the_file(self, folder):
        names = [name for batch in opened(folder).batches() for name in batch.names]
        assert names == [f"image '{name}'" for name in NAMES]

    def test_the_first_images_only(self, folder):
        """The others need not even be images."""
        (folder / "dog" / "3.webp").write_bytes(b"")
        given = opened(folder, first=3)
        assert [batch.names for batch in given.batches()] == [tuple(f"image '{name}'" for name in NAMES[:3])]

    def test_a_choice_of_images(self, folder):
        chosen = [name for batch in opened(folder).some(2, seed=1) for name in batch.names]
        assert len(chosen) == 2
        assert set(chosen) <= {f"image '{name}'" for name in NAMES}

    def test_nothing_is_decoded_before_it_is_asked_for(self, folder):
        (folder / "dog" / "puppy" / "4.bmp").write_bytes(b"")
        batches = opened(folder, batch_size=4).batches()
        assert next(batches).samples == 4
        with refusal(r"'.*/dog/puppy/4\.bmp' is no JPEG, PNG, WebP or BMP image\. Remove it\.$"):
            next(batches)


class TestTypes:
    @pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float64", ""])
    def test_pixels_as_they_are(self, folder, dtype):
        given = next(opened(folder, replace(FIXED, dtype=dtype)).batches()).feeds["x"]
        assert given.dtype == (dtype or "float32")
        assert given.max() > 200

    def test_integers_leave_nothing_to_compute(self, folder):
        with refusal(
            r"The model input 'x' is uint8: it takes pixels as they are\. Leave out scale, mean and std\.$",
        ):
            opened(folder, replace(FIXED, dtype="uint8"), preprocess_from(["resize=8x8", "scale=1/255"]))

    @pytest.mark.parametrize("dtype", ["int8", "bool", "object", "complex64"])
    def test_types_that_hold_no_pixels(self, folder, dtype):
        with refusal(rf"The model input 'x' is {dtype}, which images do not become\. Give an npz file\.$"):
            opened(folder, replace(FIXED, dtype=dtype))


class TestSizes:
    """Without a size of their own in `preprocess`, samples are as large as their images."""

    def test_images_of_one_size_make_batches(self, folder):
        assert [batch.samples for batch in opened(folder, ANY, Preprocess()).batches()] == [5]

    @pytest.mark.parametrize("batch", [None, 1])
    def test_images_of_different_sizes_are_fed_one_by_one(self, folder, batch):
        draw(folder / "dog" / "9.png", 20, 30)
        given = opened(folder, replace(ANY, shape=(batch, 3, None, None)), Preprocess()).rebatched(32)
        assert isinstance(given, OneByOne)
        assert len(given) == 6
        assert [batch.feeds["x"].shape[2:] for batch in given.batches()] == [(10, 12)] * 4 + [(20, 30), (10, 12)]
        assert [batch.names[0] for batch in given.batches(4)] == ["image 'dog/9.png'", "image 'dog/puppy/4.bmp'"]
        assert len(list(given.some(3, seed=0))) == 3

    def test_unless_the_model_takes_several_at_a_time(self, folder):
        draw(folder / "dog" / "9.png", 20, 30)
        with refusal(
            r"The image '.*/10\.png' becomes \(3, 10, 12\) and '.*/dog/9\.png' \(3, 20, 30\), but the model input 'x' "
            r"takes 4 at a time\. Add resize=HEIGHTxWIDTH to --preprocess\.$"
        ):
            opened(folder, replace(ANY, shape=(4, 3, None, None)), Preprocess())

    def test_every_image_must_fit_the_model(self, folder):
        draw(folder / "dog" / "9.png", 20, 30)
        with refusal(
            r"The image '.*/dog/9\.png' becomes \(3, 20, 30\), but the model input 'x' has \(any, 3, 10, 12\)\. "
            r"Add resize=10x12 to --preprocess\.$"
        ):
            opened(folder, replace(ANY, shape=(None, 3, 10, 12)), Preprocess())

    def test_a_file_that_is_no_image(self, folder):
        (folder / "0.png").write_bytes(b"")
        with refusal(r"'.*/0\.png' is no JPEG, PNG, WebP or BMP image\. Remove it\.$"):
            opened(folder, ANY, Preprocess(resize=8))


class TestFit:
    """What to add so that images fit; adding it makes them fit."""

    @pytest.mark.parametrize(
        ("tokens", "shape", "fix"),
        [
            (["imagenet"], (None, 3, 320, 352), "resize=320x352 crop=none"),
            (["resize=8x8"], (1, 3, 9, 9), "resize=9x9"),
            (["resize=8x8"], (1, 3, 9, None), "resize=9x8"),
            (["resize=8x8"], (None, 8, 8, 3), "layout=nhwc"),
            (["resize=8x8", "layout=nhwc"], (None, 3, 8, 8), "layout=nchw"),
            (["imagenet"], (None, 96, 96, 3), "layout=nhwc resize=96x96 crop=none"),
            (["unit", "resize=8x8"], (None, 1, 8, 8), "color=gray"),
            (["resize=8x8", "color=gray"], (3, 8, 8), "color=rgb"),
        ],
    )
    def test_the_fix(self, folder, tokens, shape, fix):
        spec = replace(FIXED, shape=shape)
        with refusal(rf"The image '.*/10\.png' becomes \(.*\), but the model input 'x' has \(.*\)\. Add {fix} to "):
            opened(folder, spec, preprocess_from(tokens))
        assert next(opened(folder, spec, preprocess_from([*tokens, *fix.split()])).batches()).samples

    def test_means_of_three_channels_are_not_those_of_gray(self, folder):
        with refusal(r"The image .* Add color=gray mean=MEAN std=STD resize=28x28 crop=none to --preprocess\.$"):
            opened(folder, replace(FIXED, shape=(None, 1, 28, 28)), preprocess_from(["imagenet"]))

    @pytest.mark.parametrize(
        ("shape", "text"),
        [((None, 10), r"\(any, 10\)"), ((1, 4, 3, 8, 8), r"\(1, 4, 3, 8, 8\)"), ((), r"\(\)")],
    )
    def test_an_input_that_takes_no_images(self, folder, shape, text):
        with refusal(
            rf"The image '.*/10\.png' becomes \(3, 8, 8\), but the model input 'x' has {text}\. It takes no images\.$"
        ):
            opened(folder, replace(FIXED, shape=shape))

    def test_channels_that_images_do_not_have(self, folder):
        with refusal(r"The image .* has \(1, 4, 8, 8\)\. Images have 1 or 3 channels, not 4\.$"):
            opened(folder, replace(FIXED, shape=(1, 4, 8, 8)))


class TestWhatIsAskedFor:
    def test_preprocessing_is_not_guessed(self, folder):
        with refusal(
            rf"What do the images in '{re.escape(str(folder))}' go through\? That is not guessed\. Give --preprocess "
            r"with a preset \(imagenet, inception, caffe, yolo, unit\), a YAML file, or keys such as resize=224x224 "
            r"scale=1/255; in Python, Samples\(path, preprocess\)\.$"
        ):
            opened(folder, preprocess=None)

    @pytest.mark.parametrize(("inputs", "text"), [([], "0: none"), ([FIXED, InputSpec("y", "", ())], "2: 'x', 'y'")])
    def test_a_model_with_more_or_less_than_one_input(self, folder, inputs, text):
        with refusal(rf"The images in '.*' are for models with one input\. This one has {text}\. Give an npz file of "):
            source(Samples(folder, SMALL), Request(inputs))

    def test_images_have_no_labels(self, folder):
        with refusal(r"The images in '.*' have no labels 'y'\. Give an npz file with both\.$"):
            source(Samples(folder, SMALL), Request([FIXED], labels="y"))

    def test_what_is_no_image_is_not_preprocessed(self, tmp_path):
        np.savez(tmp_path / "x.npz", x=np.zeros((2, 3, 8, 8), np.float32))
        with refusal(r"'.*/x\.npz' is an npz file .*, but only images in a folder are preprocessed\. Leave out "):
            opened(tmp_path / "x.npz")
        with refusal(r"These are arrays, but only images in a folder are preprocessed\. Leave out --preprocess\.$"):
            source(Samples({"x": np.zeros((2, 3, 8, 8), np.float32)}, SMALL), Request([FIXED]))

    def test_pillow_is_an_extra(self, folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "PIL", None)
        for name in ("onnxq.data.image_rows", "onnxq.data.image_file"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        with refusal(r"Images need Pillow: pip install 'onnxq\[images\]'\. \(import of PIL "):
            opened(folder)


@pytest.mark.zoo
def test_images_become_what_the_zoo_feeds(tmp_path):
    """104, 117 and 123 off blue, green and red: whole numbers, so that no order of computing can differ."""
    pixels = np.load(ZOO / "data" / "imagenet_calib.npz")["x"][:4]
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    given = opened(
        tmp_path, replace(FIXED, shape=(4, 3, 224, 224)), preprocess_from(["caffe", "resize=none", "crop=none"])
    )
    expected = (pixels[..., ::-1] - np.array([104, 117, 123], np.float32)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(next(given.batches()).feeds["x"], expected)


def _denied(path):
    raise PermissionError(13, "Permission denied", str(path))
