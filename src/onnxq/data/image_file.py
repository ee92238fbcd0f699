"""An image file -> pixels, by Pillow, which only this module imports.

As in torchvision: colours are those that Pillow's ``convert("RGB")`` gives, so transparency is dropped; images are not
turned as their EXIF orientation asks for; of an animation the first image is taken. Images of more than 8 bits per
channel lose the lower ones where Pillow reads them so (colour), and are refused where it does not (gray).
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from onnxq.core.preprocess import Preprocess, Size
from onnxq.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""What is tried, whatever a file is called: some of Pillow's other readers start programs."""

_TOO_LARGE = (Image.DecompressionBombWarning, Image.DecompressionBombError)
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, struct.error)
_DAMAGED = (*_UNREADABLE, zlib.error, NotImplementedError, RuntimeError)
"""What Pillow's readers raise for files that are damaged."""


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings are not shown; that of an image too large is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def image_size(path: Path) -> Size:
    """The height and width of an image, of which only the beginning is read.

    Raises:
        DataError: it is none, or too large.
    """
    with _opened(path) as image:
        return image.height, image.width


def read_pixels(path: Path, preprocess: Preprocess) -> NDArray[np.uint8]:
    """The pixels of an image, resized and cropped: (height, width, 3) in RGB, or (height, width, 1) for gray.

    Raises:
        DataError: it cannot be decoded, is too large, or too small to be cropped.
    """
    with _opened(path) as image:
        if image.mode.startswith(("I", "F")):
            raise DataError(f"The image '{path}' is gray with more than 8 bits ({image.mode}). Convert it to 8 bits.")
        plain = image.convert("L" if preprocess.color == "gray" else "RGB")
    framed = _framed(plain, preprocess, path)
    top, left, bottom, right = preprocess.cropped((framed.height, framed.width))
    if bottom - top > framed.height or right - left > framed.width:
        raise DataError(
            f"The image '{path}' is too small to cut {bottom - top}x{right - left} from it: it has "
            f"{framed.height}x{framed.width}. Resize it first, such as with resize={max(bottom - top, right - left)}."
        )
    kept = np.asarray(framed.crop((left, top, right, bottom)))
    return kept.reshape(*kept.shape[:2], preprocess.channels)


def _framed(image: Image.Image, preprocess: Preprocess, path: Path) -> Image.Image:
    """The image resized, and filled up if it is to be."""
    height, width = preprocess.resized((image.height, image.width))
    if height * width > (Image.MAX_IMAGE_PIXELS or height * width):
        raise DataError(
            f"The image '{path}' of {image.height}x{image.width} would grow to {height}x{width}. Resize less."
        )
    resized = image.resize((width, height), Image.Resampling[preprocess.interpolation.upper()])
    if preprocess.letterbox is None or not isinstance(preprocess.resize, tuple):
        return resized
    frame = Image.new(image.mode, preprocess.resize[::-1], (preprocess.letterbox,) * len(image.getbands()))
    frame.paste(resized, ((frame.width - width) // 2, (frame.height - height) // 2))
    return frame


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except _TOO_LARGE as cause:
        raise DataError(
            f"The image '{path}' has more pixels than Pillow reads, {Image.MAX_IMAGE_PIXELS}. Make it smaller."
        ) from cause
    except UnidentifiedImageError as cause:
        raise DataError(f"'{path}' is no JPEG, PNG, WebP or BMP image. Remove it.") from cause
    except _DAMAGED as cause:
        raise DataError(f"The image '{path}' cannot be read: {cause}. Replace it, or remove it.") from cause
