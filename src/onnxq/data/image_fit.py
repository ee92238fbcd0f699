"""Whether images fit the input of a model. Each refusal names the image, its shape, and what to add to --preprocess."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxq.core.batch import InputSpec
from onnxq.core.preprocess import Preprocess
from onnxq.errors import DataError


def sample_dtype(spec: InputSpec, preprocess: Preprocess) -> np.dtype[Any]:
    """Of the samples: that of the input.

    Raises:
        DataError: no image becomes such numbers.
    """
    dtype = np.dtype(spec.dtype or "float32")
    holds_pixels = dtype.kind in "iu" and np.can_cast(np.uint8, dtype)
    if dtype.kind == "f" or (holds_pixels and not preprocess.computes):
        return dtype
    if holds_pixels:
        raise DataError(
            f"The model input '{spec.name}' is {dtype.name}: it takes pixels as they are. Leave out "
            "scale, mean and std."
        )
    raise DataError(f"The model input '{spec.name}' is {dtype.name}, which images do not become. Give an npz file.")


def check_fit(path: Path, shape: tuple[int, ...], spec: InputSpec, preprocess: Preprocess) -> None:
    """Checks that a sample fits the input, with or without an axis for batches."""
    if spec.shape is None:
        return
    wanted = spec.shape[-3:]
    takes_images = len(spec.shape) in (3, 4)
    if not takes_images or any(want not in (None, got) for want, got in zip(wanted, shape, strict=True)):
        raise DataError(
            f"The image '{path}' becomes {shape}, but the model input '{spec.name}' has {_readable(spec.shape)}. "
            f"{_fix(wanted, shape, preprocess) if takes_images else 'It takes no images.'}"
        )


def _fix(wanted: tuple[int | None, ...], shape: tuple[int, ...], preprocess: Preprocess) -> str:
    """What to add to `preprocess` so that samples of `shape` become `wanted`."""
    tokens, layout = [], preprocess.layout
    if wanted[0 if layout == "nchw" else 2] != preprocess.channels == wanted[2 if layout == "nchw" else 0]:
        layout = "nhwc" if layout == "nchw" else "nchw"
        tokens.append(f"layout={layout}")
    channels, height, width = wanted if layout == "nchw" else (wanted[2], *wanted[:2])
    if channels not in (None, preprocess.channels):
        if channels not in (1, 3):
            return f"Images have 1 or 3 channels, not {channels}."
        several = max(len(preprocess.mean), len(preprocess.std)) > 1
        tokens.append(f"color=gray{' mean=MEAN std=STD' if several else ''}" if channels == 1 else "color=rgb")
    size = shape[1:] if preprocess.layout == "nchw" else shape[:2]
    if any(want not in (None, got) for want, got in zip((height, width), size, strict=True)):
        tokens.append(f"resize={height or size[0]}x{width or size[1]}{' crop=none' if preprocess.crop else ''}")
    return f"Add {' '.join(tokens)} to --preprocess."


def check_batch(spec: InputSpec, firsts: Mapping[tuple[int, ...], Path]) -> None:
    """Checks that samples of different shapes can be fed one by one."""
    if spec.shape is None or len(spec.shape) == 3 or spec.shape[0] in (None, 1):
        return
    (one, first), (other, second) = list(firsts.items())[:2]
    raise DataError(
        f"The image '{first}' becomes {one} and '{second}' {other}, but the model input '{spec.name}' takes "
        f"{spec.shape[0]} at a time. Add resize=HEIGHTxWIDTH to --preprocess."
    )


def _readable(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
