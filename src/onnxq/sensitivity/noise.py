"""A model of the noise at the outputs: the sum of what each quantized tensor adds by itself.

Rounding errors of different tensors are nearly uncorrelated, so their powers add up as long as they are small. A
tensor that several groups read adds its noise once, and as long as any of them reads integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxq.core.group import Group

Power = NDArray[np.float64]
"""(outputs,): the power of the noise at each output, as a share of its signal's."""


@dataclass(frozen=True)
class Origin:
    """A tensor, or all weights of a group, whose rounding makes noise.

    Attributes:
        readers: the names of the groups that read it as integers.
        power: the noise at the outputs when nothing else is quantized.
    """

    readers: frozenset[str]
    power: Power


@dataclass(frozen=True)
class NoiseModel:
    """What the noise is if some groups stay in float.

    Attributes:
        groups: all that may be quantized.
        origins: all that makes noise.
    """

    groups: tuple[Group, ...]
    origins: tuple[Origin, ...]

    @cached_property
    def powers(self) -> Power:
        """(origins, outputs)."""
        return np.array([origin.power for origin in self.origins])

    def total(self, floats: frozenset[str]) -> Power:
        """The noise at each output if the groups `floats` stay in float."""
        heard = np.array([not origin.readers <= floats for origin in self.origins])
        return np.asarray(self.powers[heard].sum(axis=0))

    def saved(self, group: str, floats: frozenset[str]) -> Power:
        """The noise that goes if `group` stays in float beside `floats`."""
        return self.total(floats) - self.total(floats | {group})


def cost(group: Group) -> int:
    """What it costs to leave a group in float: its multiply-accumulates, and a little for each byte it moves."""
    return group.macs + group.bytes


def decibels(power: Power) -> float:
    """The SQNR of the worst output."""
    return float(-10 * np.log10(max(power.max(initial=0.0), 1e-30)))


def power_of(figures: Sequence[float]) -> Power:
    """The noise of outputs with these SQNR in dB; none where there is no signal either."""
    found = np.array(figures, np.float64)
    return np.where(np.isfinite(found), 10 ** (-np.where(np.isfinite(found), found, 0.0) / 10), 0.0)
