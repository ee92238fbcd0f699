"""What variants share: a tree whose branches are runs of segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxq.sensitivity.versions import Row


@dataclass(frozen=True)
class Branch:
    """Neighbouring segments that some variants have in common.

    Attributes:
        start: the number of the first segment.
        versions: those of all its segments.
        variants: the numbers of the variants that have it.
        branches: how they go on; empty if all of them end here. The one with the most variants is the last.
    """

    start: int
    versions: Row
    variants: tuple[int, ...]
    branches: tuple[Branch, ...]


def grow(rows: Sequence[Row]) -> Branch:
    """The tree of variants, at least one, from the versions of their segments."""
    return _grow(rows, tuple(range(len(rows))), 0)


def _grow(rows: Sequence[Row], variants: tuple[int, ...], start: int) -> Branch:
    first, stop = rows[variants[0]], start
    while stop < len(first) and all(rows[variant][stop] == first[stop] for variant in variants):
        stop += 1
    ways: dict[int, list[int]] = {}
    for variant in variants if stop < len(first) else ():
        ways.setdefault(rows[variant][stop], []).append(variant)
    branches = (_grow(rows, tuple(way), stop) for way in sorted(ways.values(), key=len))
    return Branch(start, first[start:stop], variants, tuple(branches))
