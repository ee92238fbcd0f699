"""How close a quantized model's outputs are to the FP32 model's. Arrays have samples on the first axis."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

Outputs = Mapping[str, np.ndarray]


def sqnr(reference: np.ndarray, other: np.ndarray) -> float:
    """Signal to quantization noise in dB: 10 log10(sum reference^2 / sum (reference - other)^2); inf if equal."""
    signal = np.sum(np.square(reference, dtype=np.float64))
    noise = np.sum(np.square(np.subtract(reference, other, dtype=np.float64)))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def sqnr_by_output(reference: Outputs, other: Outputs) -> dict[str, float]:
    """dB of every output, in the order of `reference`; outputs are matched by position, as tools may rename them."""
    return {name: sqnr(array, match) for (name, array), match in zip(reference.items(), other.values(), strict=True)}


def pooled_sqnr(reference: Outputs, other: Outputs) -> float:
    """dB over all outputs taken as one signal, so that an output weighs by its energy."""
    return sqnr(_pool(reference), _pool(other))


def classes(outputs: Outputs) -> np.ndarray:
    """The largest class of each sample in the first output, whatever ones its shape ends in."""
    scores = next(iter(outputs.values()))
    return scores.reshape(len(scores), -1).argmax(axis=1)


def percent_equal(left: np.ndarray, right: np.ndarray) -> float:
    return 100 * float(np.mean(left == right))


def _pool(outputs: Outputs) -> np.ndarray:
    return np.concatenate([array.ravel() for array in outputs.values()])
