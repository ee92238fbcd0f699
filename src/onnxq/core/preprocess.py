"""What images go through before they are fed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes an input."""
