"""Gradient descent with a step of its own for each number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxq.core.linear import Floats

FIRST, SECOND, TINY = 0.9, 0.99, 1e-12
"""How much of the running means is kept in each step; what keeps the quotient finite."""


class Adam:
    """Running means of gradients and of their squares (Kingma and Ba 2015)."""

    def __init__(self, parameters: Mapping[str, Floats]) -> None:
        """Has seen no gradient yet."""
        self._mean = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._square = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._steps = 0

    def steps(self, gradients: Mapping[str, Floats]) -> dict[str, Floats]:
        """What to take away from each parameter, in units of its rate."""
        self._steps += 1
        found: dict[str, Floats] = {}
        for name, gradient in gradients.items():
            self._mean[name] += (1 - FIRST) * (gradient - self._mean[name])
            self._square[name] += (1 - SECOND) * (np.square(gradient) - self._square[name])
            mean = self._mean[name] / (1 - FIRST**self._steps)
            square = self._square[name] / (1 - SECOND**self._steps)
            found[name] = mean / (np.sqrt(square) + TINY)
        return found
