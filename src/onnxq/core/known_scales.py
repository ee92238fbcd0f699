"""Scales of activations that were decided elsewhere, before anything was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class KnownScales:
    """Scales that are taken as they are.

    Attributes:
        source: where they are from, as sentences name it after "the".
        scales: by tensor; positive, finite, and of the format in which the plan stores the tensor.
    """

    source: str = "known scales"
    scales: Mapping[str, np.float32] = field(default_factory=dict)

    def largest(self, tensors: Iterable[str]) -> np.float32 | None:
        """The largest scale of those tensors, None if no scale of any is known."""
        return max((self.scales[tensor] for tensor in tensors if tensor in self.scales), default=None)


NOTHING_KNOWN = KnownScales()
"""Everything is measured."""
