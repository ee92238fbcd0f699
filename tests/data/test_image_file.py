"""One image: its pixels, whatever its mode, and one clear error where there are none."""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from onnxq.core.preprocess import Preprocess
from onnxq.data.image_file import image_size, quiet, read_pixels
from onnxq.errors import DataError

PLAIN, GRAY = Preprocess(), Preprocess(color="gray")
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def _save(image, name="a.png", **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return _save


def refusal(path, text):
    return pytest.raises(DataError, match=f"^{text.format(path=re.escape(str(path)))}")


def png(width, height, depth, colour, rows):
    """A PNG file that Pillow does not write."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


class TestModes:
    @pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp"])
    def test_colour(self, save, name):
        path = save(Image.fromarray(PIXELS), name, **({"lossless": True} if name == "a.webp" else {}))
        np.testing.assert_array_equal(read_pixels(path, PLAIN), PIXELS)
        assert image_size(path) == (6, 9)

    def test_jpeg_is_what_pillow_decodes(self, save):
        path = save(Image.fromarray(PIXELS), "a.jpg")
        np.testing.assert_array_equal(read_pixels(path, PLAIN), np.asarray(Image.open(path)))

    def test_bgr_stays_rgb_here(self, save):
        """The order is that of Preprocess.sample."""
        np.testing.assert_array_equal(read_pixels(save(Image.fromarray(PIXELS)), Preprocess(color="bgr")), PIXELS)

    def test_gray_becomes_three_equal_channels(self, save):
        path = save(Image.fromarray(PIXELS[..., 0]))
        np.testing.assert_array_equal(read_pixels(path, PLAIN), np.repeat(PIXELS[..., :1], 3, axis=2))

    def test_colour_becomes_gray(self, save):
        given = read_pixels(save(Image.fromarray(PIXELS)), GRAY)
        assert given.shape == (6, 9, 1)
        np.testing.assert_allclose(given[..., 0], PIXELS @ [0.299, 0.587, 0.114], atol=0.6)

    @pytest.mark.parametrize("given", [PLAIN, GRAY], ids=["rgb", "gray"])
    def test_transparency_is_dropped(self, save, given):
        """As torchvision's convert("RGB") does: what is under transparent pixels shows."""
        alpha = np.full((6, 9, 1), 7, np.uint8)
        transparent = save(Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)), "t.png")
        opaque = save(Image.fromarray(PIXELS), "o.png")
        np.testing.assert_array_equal(read_pixels(transparent, given), read_pixels(opaque, given))

    def test_transparency_of_gray_is_dropped(self, save):
        path = save(Image.merge("LA", [Image.fromarray(PIXELS[..., channel]) for channel in (0, 1)]))
        np.testing.assert_array_equal(read_pixels(path, GRAY)[..., 0], PIXELS[..., 0])

    def test_a_palette_with_transparency(self, save):
        image = Image.fromarray(PIXELS).quantize(4)
        path = save(image, transparency=bytes([0, 9, 99, 255]))
        with quiet():
            given = read_pixels(path, PLAIN)
        np.testing.assert_array_equal(given, np.asarray(image.convert("RGB")))

    def test_black_and_white(self, save):
        path = save(Image.fromarray(PIXELS[..., 0] > 127))
        assert set(np.unique(read_pixels(path, GRAY))) == {0, 255}

    def test_cmyk(self, save):
        cmyk = Image.fromarray(np.full((8, 8, 3), (255, 0, 0), np.uint8)).convert("CMYK")
        given = read_pixels(save(cmyk, "a.jpg", quality=100), PLAIN)
        np.testing.assert_allclose(given.reshape(-1, 3), np.tile([255, 0, 0], (64, 1)), atol=3)

    def test_16_bit_colour_loses_its_lower_byte(self, tmp_path):
        values = np.array([[0x1234, 0xABCD, 0xFF01]], ">u2")
        (tmp_path / "a.png").write_bytes(png(1, 1, 16, 2, b"\0" + values.tobytes()))
        assert read_pixels(tmp_path / "a.png", PLAIN).tolist() == [[[0x12, 0xAB, 0xFF]]]

    def test_16_bit_gray_is_refused(self, save):
        path = save(Image.fromarray(np.full((4, 4), 40000, np.uint16)))
        with refusal(path, r"The image '{path}' is gray with more than 8 bits \(I;16\)\. Convert it to 8 bits\.$"):
            read_pixels(path, PLAIN)

    def test_images_are_not_turned(self, save):
        exif = Image.Exif()
        exif[0x0112] = 6
        path = save(Image.fromarray(PIXELS), "a.jpg", exif=exif)
        assert read_pixels(path, PLAIN).shape == (6, 9, 3)

    def test_the_first_image_of_an_animation(self, save):
        path = save(Image.fromarray(PIXELS), save_all=True, append_images=[Image.fromarray(255 - PIXELS)])
        np.testing.assert_array_equal(read_pixels(path, PLAIN), PIXELS)

    def test_the_suffix_does_not_matter(self, save):
        path = save(Image.fromarray(PIXELS))
        np.testing.assert_array_equal(read_pixels(path.rename(path.with_suffix(".jpg")), PLAIN), PIXELS)


class TestGeometry:
    @pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"])
    def test_resizing_and_cropping_are_pillows(self, save, name):
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8))
        given = read_pixels(save(image), Preprocess(resize=16, crop=12, interpolation=name))
        small = image.resize((21, 16), Image.Resampling[name.upper()])  # int(16 * 40 / 30) wide
        np.testing.assert_array_equal(given, np.asarray(small)[2:14, 4:16])

    def test_a_letterbox_is_filled_up_above_and_below(self, save):
        given = read_pixels(save(Image.fromarray(PIXELS)), Preprocess(resize=(9, 9), letterbox=114))
        np.testing.assert_array_equal(given[1:7], PIXELS)
        assert set(np.unique(given[[0, 7, 8]])) == {114}

    def test_a_gray_letterbox(self, save):
        given = read_pixels(save(Image.fromarray(PIXELS)), Preprocess(resize=(6, 11), letterbox=5, color="gray"))
        assert given.shape == (6, 11, 1)
        assert set(np.unique(given[:, [0, 10]])) == {5}

    @pytest.mark.parametrize(("crop", "text"), [(7, "7x7"), ((2, 10), "2x10")])
    def test_an_image_too_small_to_be_cropped(self, save, crop, text):
        path = save(Image.fromarray(PIXELS))
        with refusal(path, rf"The image '{{path}}' is too small to cut {text} from it: it has 6x9\. Resize it first, "):
            read_pixels(path, Preprocess(crop=crop))

    def test_a_thin_image_does_not_grow_beyond_measure(self, save):
        path = save(Image.fromarray(np.zeros((1, 5000, 3), np.uint8)))
        with refusal(path, r"The image '{path}' of 1x5000 would grow to 256x1280000\. Resize less\.$"):
            read_pixels(path, Preprocess(resize=256))


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"not an image", b"GIF89a" + bytes(20), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
    def test_no_image(self, tmp_path, content):
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        with refusal(path, r"'{path}' is no JPEG, PNG, WebP or BMP image\. Remove it\.$"):
            read_pixels(path, PLAIN)

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp"])
    @pytest.mark.parametrize("share", [0.6, 0.9])
    def test_a_file_that_was_cut_off(self, save, name, share):
        path = save(Image.fromarray(np.tile(PIXELS, (9, 9, 1))), name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with refusal(path, r"The image '{path}' cannot be read: .+\. Replace it, or remove it\.$"):
            read_pixels(path, PLAIN)

    def test_a_missing_file(self, tmp_path):
        with refusal(tmp_path, r"The image '{path}/a\.jpg' cannot be read: .*No such file"):
            read_pixels(tmp_path / "a.jpg", PLAIN)

    @pytest.mark.parametrize("side", [10000, 20000], ids=["Pillow warns", "Pillow refuses"])
    def test_an_image_that_would_fill_the_memory(self, tmp_path, side):
        path = tmp_path / "a.png"
        path.write_bytes(png(side, side, 8, 2, b""))
        for read in (image_size, lambda path: read_pixels(path, PLAIN)):
            message = r"The image '{path}' has more pixels than Pillow reads, 89478485\. Make it smaller\.$"
            with quiet(), refusal(path, message):
                read(path)
