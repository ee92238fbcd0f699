"""What images go through before they are fed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from onnxq.core.batch import Array
from onnxq.errors import RecipeError, near_misses

INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "box", "hamming", "lanczos")
CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
LAYOUTS = ("nchw", "nhwc")
LEVELS = 256
"""Values that a channel of a pixel can have."""

Size = tuple[int, int]
"""Height, width."""


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes an input: decoded, resized, cropped, ``(x * scale - mean) / std``, and laid out.

    The arithmetic is float32 in exactly this order: a product, a difference, a quotient. Resizing and cropping are
    those of torchvision on Pillow images. Without fields, the pixels are fed as they are.

    Attributes:
        resize: the length of the shorter side, or (height, width) without regard to proportions; None to leave it.
        crop: the side of a square, or (height, width), cut from the centre; None to leave it.
        letterbox: the gray, 0 to 255, that fills up `resize` where an image of other proportions leaves room to its
            left and right, or above and below; None to stretch the image.
        interpolation: Pillow's filter; when shrinking, all but "nearest" average what they skip.
        color: the order of the channels; "gray" is 0.299 R + 0.587 G + 0.114 B.
        scale: what pixels, 0 to 255, are multiplied with.
        mean: what is subtracted, in units after scaling: one number, or one per channel in the order of `color`.
        std: what is divided by, likewise.
        layout: of the sample: "nchw" is (channels, height, width), "nhwc" is (height, width, channels).
    """

    resize: int | Size | None = None
    crop: int | Size | None = None
    letterbox: int | None = None
    interpolation: str = "bilinear"
    color: str = "rgb"
    scale: float = 1.0
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    layout: str = "nchw"

    def __post_init__(self) -> None:
        for name, known in (("interpolation", INTERPOLATIONS), ("color", tuple(CHANNELS)), ("layout", LAYOUTS)):
            if (value := getattr(self, name)) not in known:
                choices = f"Choose one of: {', '.join(known)}."
                raise RecipeError(f"Unknown {name} '{value}'. {choices}{near_misses(str(value), known)}")
        _check_size("resize", self.resize, "the length of the shorter side")
        _check_size("crop", self.crop, "the side of a square")
        self._check_letterbox()
        if not _is_number(self.scale) or self.scale == 0:
            raise RecipeError(f"scale must be a number other than 0, such as 1/255. Got {self.scale!r}.")
        self._check_numbers("mean", self.mean)
        self._check_numbers("std", self.std)
        if any(value <= 0 for value in self.std):
            raise RecipeError(f"std must be above 0. Got {_listed(self.std)}.")

    @property
    def channels(self) -> int:
        """Of the sample."""
        return CHANNELS[self.color]

    @property
    def computes(self) -> bool:
        """Whether anything but pixels is fed."""
        return self.scale != 1 or any(self.mean) or any(value != 1 for value in self.std)

    @property
    def size(self) -> Size | None:
        """Of all samples; None if it depends on that of the image."""
        return _pair(self.crop) or (None if isinstance(self.resize, int) else self.resize)

    def resized(self, size: Size) -> Size:
        """To what an image of `size` is resized."""
        height, width = size
        if self.resize is None:
            return size
        if isinstance(self.resize, int):
            longer = int(self.resize * max(size) / min(size))
            return (longer, self.resize) if height > width else (self.resize, longer)
        if self.letterbox is None:
            return self.resize
        ratio = min(self.resize[0] / height, self.resize[1] / width)
        return max(1, round(height * ratio)), max(1, round(width * ratio))

    def cropped(self, size: Size) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of what is kept of a resized image of `size`, which may be too small for it."""
        height, width = _pair(self.crop) or size
        top, left = round((size[0] - height) / 2), round((size[1] - width) / 2)
        return top, left, top + height, left + width

    def shape(self, size: Size) -> tuple[int, int, int]:
        """Of the sample that an image of `size` becomes."""
        height, width = self.size or self.resized(size)
        return (self.channels, height, width) if self.layout == "nchw" else (height, width, self.channels)

    def sample(self, pixels: NDArray[np.uint8], dtype: DTypeLike = np.float32) -> Array:
        """The sample, of numbers of `dtype`.

        Args:
            pixels: (height, width, channels), resized and cropped; red first, whatever `color` asks for.
            dtype: computed in float32 all the same; one of integers only if nothing is computed.
        """
        levels = np.arange(LEVELS, dtype=np.float32)[:, None]
        scale, mean, std = (np.asarray(value, np.float32) for value in (self.scale, self.mean, self.std))
        table = np.broadcast_to((levels * scale - mean) / std, (LEVELS, self.channels)).astype(dtype)
        ordered = pixels[..., ::-1] if self.color == "bgr" else pixels
        planes = [table[:, channel][ordered[..., channel]] for channel in range(self.channels)]
        return np.stack(planes, axis=0 if self.layout == "nchw" else -1)

    def _check_letterbox(self) -> None:
        if self.letterbox is None:
            return
        if not _is_whole(self.letterbox) or not 0 <= self.letterbox < LEVELS:
            raise RecipeError(f"letterbox must be none or a gray from 0 to 255. Got {self.letterbox!r}.")
        if not isinstance(self.resize, tuple):
            raise RecipeError(
                f"letterbox fits an image into a height and a width. Write resize=640x640. Got resize={self.resize}."
            )

    def _check_numbers(self, name: str, values: Any) -> None:
        if not isinstance(values, list | tuple) or not all(_is_number(value) for value in values):
            raise RecipeError(f"{name} must be a list of numbers, one for each channel or one for all. Got {values!r}.")
        if len(values) not in (1, self.channels):
            wanted = "1" if self.channels == 1 else f"1 or {self.channels}"
            raise RecipeError(f"{name} needs {wanted} numbers for color={self.color}. Got {_listed(values)}.")
        largest, reach = max(abs(value) for value in values), LEVELS * abs(self.scale)
        if largest > reach:
            raise RecipeError(
                f"{name} {largest:g} is more than pixels reach with scale={self.scale:g}: {reach:g}. mean and std are "
                "in units after scaling: divide them by 255, or write scale=1."
            )


@dataclass(frozen=True)
class Preset:
    """A Preprocess that many models share.

    Attributes:
        name: as recipes spell it.
        doc: one line for people.
        preprocess: what it stands for.
        source: where that is documented.
    """

    name: str
    doc: str
    preprocess: Preprocess
    source: str


def _pair(size: int | Size | None) -> Size | None:
    return (size, size) if isinstance(size, int) else size


def _check_size(name: str, size: Any, one: str) -> None:
    sides = size if isinstance(size, tuple) else (size,)
    if size is None or (len(sides) in (1, 2) and all(_is_whole(side) and side > 0 for side in sides)):
        return
    raise RecipeError(f"{name} must be none, {one}, or height and width such as 320x240. Got {size!r}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
