"""Names that nothing in a model has yet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable


class Names:
    """Gives out names that are not taken.

    Args:
        taken: all names of nodes and values, those in bodies included.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, stem: str) -> str:
        """`stem` itself, or ``stem_1``, ``stem_2`` ... if that is taken; the answer is taken from now on."""
        candidates = itertools.chain([stem], (f"{stem}_{i}" for i in itertools.count(1)))
        name = next(name for name in candidates if name not in self._taken)
        self._taken.add(name)
        return name


def without_names(sentence: str) -> str:
    """`sentence` without what stands in quotes: the same for all things of which the same is said."""
    return re.sub(r"'[^']*'", "…", sentence)
