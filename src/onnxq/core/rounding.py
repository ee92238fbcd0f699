"""Rounding to a grid so that not each weight is nearest, but what they compute together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrices = NDArray[np.float64]

BLOCK = 64
"""Columns whose errors are handed on together."""

SWEEPS = 4
"""How often each code is looked at again, at most."""

DAMPING = 1e-4
"""Added to the diagonal of a second moment, in units of its mean."""


def damped(moment: Matrices) -> Matrices:
    """The second moment (groups, columns, columns) with a diagonal that makes it invertible."""
    columns = moment.shape[1]
    mean = np.einsum("gkk->g", moment) / columns
    found: Matrices = moment + (DAMPING * mean + 1e-12)[:, None, None] * np.eye(columns)
    return found


def nearest(weight: Matrices, steps: Matrices, most: float) -> Matrices:
    """Codes next to `weight`, at most `most` in magnitude."""
    return np.clip(np.rint(weight / steps), -most, most)


def second_order(weight: Matrices, moment: Matrices, steps: Matrices, most: float) -> Matrices:
    """Codes for which the outputs' squared error is small: never larger than with the nearest ones.

    Column by column, largest moment first, the error of rounding is made good in the columns that are still to come
    (Frantar et al. 2022, GPTQ); then each code by itself is set to its optimum until none changes.

    Args:
        weight: (groups, rows, columns).
        moment: of what is multiplied with it, about its mean: (groups, columns, columns), positive definite.
        steps: between codes: (groups, rows, 1).
        most: the largest code.
    """
    near = nearest(weight, steps, most)
    found = settled(_fed_back(weight, moment, steps, most), weight, moment, steps, most)
    worse = error(found * steps - weight, moment) > error(near * steps - weight, moment)
    return np.where(worse[:, :, None], settled(near, weight, moment, steps, most), found)


def error(difference: Matrices, moment: Matrices) -> Matrices:
    """The power of what `difference` (groups, rows, columns) makes at each output: (groups, rows)."""
    found: Matrices = np.einsum("gmk,gmk->gm", difference @ moment, difference)
    return found


def settled(codes: Matrices, weight: Matrices, moment: Matrices, steps: Matrices, most: float) -> Matrices:
    """The codes after some sweeps in which each is set to what is best given the others."""
    codes, scale = codes.copy(), steps[:, :, 0]
    slope = (codes * steps - weight) @ moment
    curvature = np.einsum("gkk->gk", moment)
    for _ in range(SWEEPS):
        before = codes.copy()
        for column in range(codes.shape[2]):
            best = codes[:, :, column] - slope[:, :, column] / (curvature[:, None, column] * scale)
            change = np.clip(np.rint(best), -most, most) - codes[:, :, column]
            if change.any():
                codes[:, :, column] += change
                slope += (change * scale)[:, :, None] * moment[:, column : column + 1]
        if np.array_equal(codes, before):
            break
    return codes


def _fed_back(weight: Matrices, moment: Matrices, steps: Matrices, most: float) -> Matrices:
    order = np.argsort(-np.einsum("gkk->gk", moment), axis=1, kind="stable")
    left = np.take_along_axis(weight, order[:, None, :], 2)
    moment = np.take_along_axis(np.take_along_axis(moment, order[:, :, None], 1), order[:, None, :], 2)
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(moment)), 1, 2)
    codes = np.empty_like(left)
    columns = weight.shape[2]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        errors = np.empty_like(left[:, :, start:stop])
        for k in range(start, stop):
            codes[:, :, k] = nearest(left[:, :, k], steps[:, :, 0], most)
            missed = left[:, :, k] - codes[:, :, k] * steps[:, :, 0]
            errors[:, :, k - start] = missed / upper[:, None, k, k]
            left[:, :, k:stop] -= errors[:, :, k - start, None] * upper[:, k, None, k:stop]
        left[:, :, stop:] -= errors @ upper[:, start:stop, stop:]
    return np.take_along_axis(codes, np.argsort(order, axis=1, kind="stable")[:, None, :], 2)
