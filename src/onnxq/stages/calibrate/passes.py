"""Which tensors are fetched together, so that they fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxq.core.tap import Tap


@dataclass(frozen=True)
class Limits:
    """What there is to work with: bytes for fetched tensors, and processor cores."""

    memory: int
    cores: int


@dataclass(frozen=True)
class Pass:
    """One run over the samples from number `start` on: what it fetches, and how many batches run side by side."""

    taps: tuple[Tap, ...]
    workers: int
    start: int = 0

    @property
    def bytes(self) -> int:
        """What all that is fetched at a time takes."""
        return self.workers * sum(tap.bytes for tap in self.taps)


def passes(taps: Sequence[Tap], limits: Limits, counted: Mapping[str, int]) -> tuple[Pass, ...]:
    """The passes that measure `taps`: as few as possible, then with as many workers as possible.

    Args:
        taps: what to measure, in graph order: an early pass then need not compute the end of the model.
        limits: what there is to work with.
        counted: how many samples a tensor was measured on before.
    """
    starts = sorted({counted.get(tap.tensor, 0) for tap in taps}, reverse=True)  # what is nearly done comes first
    return tuple(
        Pass(together, _workers(together, limits), start)
        for start in starts
        for together in _fitting([tap for tap in taps if counted.get(tap.tensor, 0) == start], limits.memory)
    )


def explanation(turns: Sequence[Pass], limits: Limits) -> str:
    """Why there is more than one pass, or one that is too large; empty if all is well."""
    largest = max((turn.bytes for turn in turns), default=0)
    if largest > limits.memory:
        return (
            f"One tensor alone takes {_megabytes(largest)} for a batch, more than the {_megabytes(limits.memory)} of "
            "--max-memory. A smaller --batch-size takes less."
        )
    starts = {turn.start for turn in turns}
    if len(turns) > len(starts):
        whole = sum(tap.bytes for turn in turns for tap in turn.taps)
        return (
            f"The tensors to measure take {_megabytes(whole)} for a batch, more than the {_megabytes(limits.memory)} "
            f"of --max-memory: there are {len(turns)} passes over the samples."
        )
    return ""


def _fitting(taps: Sequence[Tap], memory: int) -> Iterator[tuple[Tap, ...]]:
    """Neighbours that fit together; a tap that is too large comes alone."""
    together: list[Tap] = []
    for tap in taps:
        if together and sum(other.bytes for other in together) + tap.bytes > memory:
            yield tuple(together)
            together = []
        together.append(tap)
    yield tuple(together)


def _workers(taps: Sequence[Tap], limits: Limits) -> int:
    room = limits.memory // max(1, sum(tap.bytes for tap in taps))
    return max(1, min(limits.cores, room))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e6:.2g} MB"
