"""What least squares needs to know of patches and of what is to come of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxq.core.linear import Floats

Matrices = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Sums over places. Float64, added up in the order of the places.

    Attributes:
        count: of the places.
        patch: (groups, columns) the sum of the patches.
        target: (groups, rows) the sum of what is wanted.
        patches: (groups, columns, columns) of products of patches with patches.
        crossed: (groups, rows, columns) of products of what is wanted with patches.
        power: (groups, rows) of squares of what is wanted.
    """

    count: int
    patch: Matrices
    target: Matrices
    patches: Matrices
    crossed: Matrices
    power: Matrices

    @staticmethod
    def of(patches: Floats, targets: Floats) -> Moments:
        """The sums over (groups, places, columns) and (groups, places, rows)."""
        x = np.empty((*patches.shape[:2], patches.shape[2] + 1))
        x[:, :, :-1], x[:, :, -1] = patches, 1.0
        y = np.ascontiguousarray(targets, np.float64)
        squares, crossed = np.swapaxes(x, 1, 2) @ x, np.swapaxes(y, 1, 2) @ x
        return Moments(
            x.shape[1],
            squares[:, :-1, -1],
            crossed[:, :, -1],
            squares[:, :-1, :-1],
            crossed[:, :, :-1],
            np.square(y).sum(axis=1),
        )

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count,
            self.patch + other.patch,
            self.target + other.target,
            self.patches + other.patches,
            self.crossed + other.crossed,
            self.power + other.power,
        )

    @property
    def about_zero(self) -> Moments:
        """The same for layers without a bias: no mean is taken away."""
        return replace(self, patch=np.zeros_like(self.patch), target=np.zeros_like(self.target))

    @property
    def moment(self) -> Matrices:
        """The covariance of the patches: (groups, columns, columns)."""
        return self.patches / self.count - self.patch[:, :, None] * self.patch[:, None, :] / self.count**2

    def refitted(self, weight: Matrices, caution: float) -> Matrices:
        """The weight that comes closest to what is wanted, up to constants.

        Args:
            weight: (groups, rows, columns) that there is.
            caution: what a change of the weight counts, in units of the patches' mean power.
        """
        moment, columns = self.moment, weight.shape[2]
        crossed = self.crossed / self.count - self.target[:, :, None] * self.patch[:, None, :] / self.count**2
        price = (caution * np.einsum("gkk->g", moment) / columns + 1e-12)[:, None, None]
        change = crossed - weight @ moment
        return weight + np.swapaxes(np.linalg.solve(moment + price * np.eye(columns), np.swapaxes(change, 1, 2)), 1, 2)

    def bias(self, weight: Matrices) -> Matrices:
        """What has to be added to the outputs of `weight` for a mean as it is wanted: (groups, rows)."""
        found: Matrices = (self.target - np.einsum("gmk,gk->gm", weight, self.patch)) / self.count
        return found

    def noise(self, weight: Matrices, bias: Matrices) -> Matrices:
        """The mean square of what the outputs of `weight` and `bias` miss: (groups, rows)."""
        square = np.einsum("gmk,gmk->gm", weight @ self.patches, weight) - 2 * np.einsum(
            "gmk,gmk->gm", weight, self.crossed
        )
        mean = self.target - np.einsum("gmk,gk->gm", weight, self.patch)
        found: Matrices = (square + self.power - 2 * bias * mean) / self.count + np.square(bias)
        return found
