"""Measures activations: batches through a runtime, each reduced to histograms while the next one is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnxq.core.batch import Run, Source
from onnxq.core.journal import Journal
from onnxq.core.observer import Observer
from onnxq.core.statistics import TensorStatistics
from onnxq.core.tally import Tally
from onnxq.core.tap import Tap
from onnxq.errors import DataError
from onnxq.stages.calibrate.crew import Crew
from onnxq.stages.calibrate.passes import Limits, explanation, passes

__all__ = ["Begun", "Limits", "Load", "calibrate"]

Load = Callable[[Sequence[str], int], Run]
"""Names of tensors and a number of threads -> a function from feeds to the values of these tensors."""

Begun = Mapping[str, TensorStatistics]
"""What an interrupted run has counted, by tensor; each goes on after the samples that it has."""

SLOWEST = 5
"""Tensors that are named to those who want to know where the time goes."""


def calibrate(
    load: Load, source: Source, taps: Sequence[Tap], limits: Limits, journal: Journal[Begun], observer: Observer
) -> Mapping[str, TensorStatistics]:
    """The statistics of `taps`, in their order, over all samples of `source`.

    Memory does not grow with the number of samples.

    Args:
        load: makes the model return tensors.
        source: what to feed.
        taps: what to measure.
        limits: memory and cores; taps that do not fit together are taken in several passes over the samples.
        journal: what an earlier run has counted, and who keeps what this one counts.
        observer: told of the progress.

    Raises:
        DataError: there are no samples, or the model computes NaN or Inf from them.
    """
    known = journal.begun or {}
    _check_begun(known, source, taps)
    tallies = {tap.tensor: Tally(tap.axis, known.get(tap.tensor), histogram=tap.histogram) for tap in taps}
    turns = passes(taps, limits, {name: begun.samples for name, begun in known.items()})
    if reason := explanation(turns, limits):
        observer.note(reason)
    total, done = sum(max(len(source) - turn.start, 0) for turn in turns), 0
    for turn in turns:
        run = load([tap.tensor for tap in turn.taps], max(1, limits.cores // turn.workers))
        with Crew(run, {tap.tensor: tallies[tap.tensor] for tap in turn.taps}, turn.workers) as crew:
            for batch in source.batches(turn.start):
                crew.take(batch)
                observer.advance(done + crew.counted, total)
                if journal.is_due:
                    crew.settle()
                    journal.write({name: tally.measured() for name, tally in tallies.items()})
            crew.settle()
        done += crew.counted
        observer.advance(done, total)
    found = {name: tally.measured() for name, tally in tallies.items()}
    if not all(measured.samples for measured in found.values()):
        raise DataError("There are no calibration samples. Give at least one; a few hundred are usual.")
    slowest = sorted(tallies, key=lambda name: -tallies[name].seconds)[:SLOWEST]
    observer.detail("Slowest to count: " + ", ".join(f"'{n}' {tallies[n].seconds:.2f} s" for n in slowest) + ".")
    return found


def _check_begun(known: Begun, source: Source, taps: Sequence[Tap]) -> None:
    begun = max((measured.samples for measured in known.values()), default=0)
    if begun > len(source) > 0:
        raise DataError(
            f"What is resumed was counted on {begun} samples, but there are only {len(source)}. Start again without "
            "--resume."
        )
    if unlike := [tap.tensor for tap in taps if tap.tensor in known and known[tap.tensor].is_binned != tap.histogram]:
        raise DataError(
            f"What is resumed was begun with another plan or --rest: '{unlike[0]}' is measured in another way. Start "
            "again without --resume."
        )
