"""What can be chosen: a shelf per kind, a file per choice, an explicit tuple per shelf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from onnxq.errors import RecipeError, near_misses


class Named(Protocol):
    """Anything that lies on a shelf."""

    @property
    def name(self) -> str:
        """As recipes spell it."""


Choice = TypeVar("Choice", bound=Named)


def pick(shelf: Iterable[Choice], name: str, kind: str) -> Choice:
    """The choice called `name`.

    Raises:
        RecipeError: the shelf has none; the message lists what it has.
    """
    known = {choice.name: choice for choice in shelf}
    if name not in known:
        raise RecipeError(f"Unknown {kind} '{name}'. Choose one of: {', '.join(known)}.{near_misses(name, known)}")
    return known[name]
