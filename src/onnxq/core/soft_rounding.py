"""Rounding up or down as a number between 0 and 1 that is learned (Nagel et al. 2020, AdaRound)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.adam import Adam
from onnxq.core.linear import Floats

LOW, HIGH = -0.1, 1.1
"""A sigmoid is stretched to this range and cut to [0, 1], so that it gets to its ends."""

RATE, PRICE = 0.05, 1.0
"""How far a step goes; what it costs, beside the output's error, that a weight is not decided."""

WARM = 0.2
"""The share of the steps in which nothing has to be decided."""

TURNED = 4096
"""Places that are looked at when single weights are turned in the end."""

SHARP, BLUNT = 20.0, 2.0
"""The exponent of that price, first and last."""


@dataclass(frozen=True)
class Problem:
    """One layer whose weights are to be rounded.

    Attributes:
        weight: (groups, rows, columns).
        steps: between codes: (groups, rows, 1).
        most: the largest code.
        patches: (groups, places, columns) of what the layer reads.
        added: (groups, places, rows) to the products before they are cut off: bias, shortcut.
        wanted: (groups, places, rows) products with `added`, not cut off.
        low: what the tail cuts off at.
        high: the same above.
    """

    weight: Floats
    steps: Floats
    most: float
    patches: Floats
    added: Floats
    wanted: Floats
    low: float
    high: float

    @property
    def floor(self) -> Floats:
        """The codes below the weights."""
        return np.clip(np.floor(self.weight / self.steps), -self.most, self.most - 1)

    def at(self, places: slice) -> Problem:
        """The same with some of its places alone."""
        parts = (self.patches[:, places], self.added[:, places], self.wanted[:, places])
        return replace(self, patches=parts[0], added=parts[1], wanted=parts[2])

    def noise_at(self, codes: Floats, places: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """By how much the outputs of `codes` are off at some places, and the gradient of their squares' mean.

        Returns:
            (groups, places, rows), and by the codes (groups, rows, columns).
        """
        patches = self.patches[:, places]
        made = patches @ np.swapaxes(codes * self.steps, 1, 2) + self.added[:, places]
        off: Floats = np.clip(made, self.low, self.high) - np.clip(self.wanted[:, places], self.low, self.high)
        inside = (made > self.low) & (made < self.high)
        slope: Floats = np.swapaxes(off * inside, 1, 2) @ patches * self.steps * np.float32(2 / len(places))
        return off, slope

    def noise(self, codes: Floats) -> NDArray[np.float64]:
        """The power of what is missed at each output: (groups, rows)."""
        off, _ = self.noise_at(codes, np.arange(self.patches.shape[1]))
        found: NDArray[np.float64] = np.square(off, dtype=np.float64).mean(axis=1)
        return found


def softened(values: Floats) -> Floats:
    """How far up: between 0 and 1."""
    found: Floats = np.clip((HIGH - LOW) / (1 + np.exp(-values)) + LOW, 0, 1)
    return found


def hardened(shares: Floats) -> Floats:
    """The values that are `softened` to these shares."""
    found: Floats = -np.log((HIGH - LOW) / (shares - LOW) - 1)
    return found


def rounded(problem: Problem, steps: int, size: int, seed: int) -> Floats:
    """Codes next to the weights, below or above, that together miss least.

    Args:
        problem: the layer.
        steps: of gradient descent.
        size: places in a step.
        seed: draws them.
    """
    floor = problem.floor
    values = hardened(np.clip(problem.weight / problem.steps - floor, 1e-3, 1 - 1e-3)).astype(np.float32)
    near = np.clip(np.rint(problem.weight / problem.steps), -problem.most, problem.most)
    unit = problem.noise(near).sum() + 1e-30
    adam, draw = Adam({"values": values}), np.random.default_rng(seed)
    for number in range(steps):
        places = draw.integers(problem.patches.shape[1], size=size)
        share = softened(values)
        _, slope = problem.noise_at(floor + share, places)
        slope = slope / np.float32(unit) + _price(share, (number / steps - WARM) / (1 - WARM))
        sigmoid = (share - LOW) / (HIGH - LOW)
        inside = (share > 0) & (share < 1)
        values = values - np.float32(RATE) * adam.steps({"values": slope * inside * sigmoid * (1 - sigmoid)})["values"]
    found = turned(problem, floor + (softened(values) >= 0.5), floor)
    better = problem.noise(found) < problem.noise(near)
    return np.where(better[:, :, None], found, near)


def turned(problem: Problem, codes: Floats, floor: Floats) -> Floats:
    """The codes after each that is better rounded the other way, given the others, was turned, column by column."""
    few = problem.at(slice(None, None, -(-problem.patches.shape[1] // TURNED)))
    codes = codes.copy()
    made = few.patches @ np.swapaxes(codes * few.steps, 1, 2) + few.added
    goal = np.clip(few.wanted, few.low, few.high)
    noise = np.square(np.clip(made, few.low, few.high) - goal).sum(axis=1)
    for column in range(codes.shape[2]):
        other = 2 * floor[:, :, column] + 1 - codes[:, :, column]
        move = (other - codes[:, :, column]) * few.steps[:, :, 0]
        moved = made + few.patches[:, :, column, None] * move[:, None]
        after = np.square(np.clip(moved, few.low, few.high) - goal).sum(axis=1)
        better = after < noise
        codes[:, :, column] = np.where(better, other, codes[:, :, column])
        made, noise = np.where(better[:, None], moved, made), np.where(better, after, noise)
    return codes


def _price(share: Floats, done: float) -> Floats | float:
    """The gradient of what it costs that a weight is neither up nor down."""
    if done < 0:
        return 0.0
    power = BLUNT + 0.5 * (SHARP - BLUNT) * (1 + np.cos(np.pi * done))
    off = 2 * share - 1
    found: Floats = -PRICE * 2 * power * np.sign(off) * np.abs(off) ** (power - 1)
    return found
