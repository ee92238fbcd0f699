"""How close a quantized model comes to FP32, sample by sample, so that a lead can be told from chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXACT = 200.0
"""Decibels that stand for an output without any error, and less than none for one without any signal."""


LARGEST = 20.0
"""Decibels by which one sample can be closer: an output without any noise is no more than that."""


@dataclass(frozen=True)
class Score:
    """The powers of signal and noise on a few samples.

    Attributes:
        signal: (samples, outputs) the sum of squares of what FP32 computes.
        noise: (samples, outputs) the sum of squares of the difference.
        same: the share of samples with the same class as FP32 in percent; None where no output has classes.
    """

    signal: NDArray[np.float64]
    noise: NDArray[np.float64]
    same: float | None = None

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.noise)

    @property
    def decibels(self) -> float:
        """The SQNR over all samples, the mean over the outputs; 0 without any."""
        return float(_decibels(self.signal.sum(axis=0), self.noise.sum(axis=0)))

    def lead(self, other: Score) -> tuple[float, float]:
        """By how many decibels this one is closer than the `other` on the same samples, and the standard error of that.

        The error is that of the jackknife: how the lead changes when single samples are left out.
        """
        left_out = [_decibels(_others(score.signal), _others(score.noise)) for score in (self, other)]
        leads, count = left_out[0] - left_out[1], self.samples
        error = np.sqrt(np.square(leads - leads.mean()).sum() * (count - 1) / count) if count > 1 else 0.0
        return self.decibels - other.decibels, float(error)

    def typical_lead(self, other: Score) -> tuple[float, float]:
        """By how many decibels this one is closer on a sample, the mean over samples and outputs; its standard error.

        Few samples with much noise decide about the SQNR over all of them. Here each counts alike, so less is left to
        chance, but an improvement of those few is not seen.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            leads = 10 * (np.log10(other.noise) - np.log10(self.noise))
        leads = np.clip(np.where(self.noise == other.noise, 0.0, leads), -LARGEST, LARGEST)
        means = leads.mean(axis=1) if leads.shape[1] else np.zeros(self.samples)
        error = means.std(ddof=1) / np.sqrt(self.samples) if self.samples > 1 else 0.0
        return float(means.mean()), float(error)


def _others(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """(samples, outputs) the sum over all samples but one, for each."""
    others: NDArray[np.float64] = powers.sum(axis=0) - powers
    return others


def _decibels(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the outputs, which are the last axis."""
    if not signal.shape[-1]:
        return np.zeros(signal.shape[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * (np.log10(np.maximum(signal, 0.0)) - np.log10(np.maximum(noise, 0.0)))
    found = np.where(signal > 0, found, -EXACT)
    kept: NDArray[np.float64] = np.where(noise == 0, EXACT, np.clip(found, -EXACT, EXACT))
    return np.asarray(kept.mean(axis=-1))
