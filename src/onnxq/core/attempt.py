"""What became of a fix that was tried."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

EXPECTED, SPREAD = 0.5, 0.7
"""Decibels that a fix gains on a sample before it is measured, and the standard deviation: what the zoo has shown."""


@dataclass(frozen=True)
class Attempt:
    """A fix that was tried on a model.

    Attributes:
        fix: its name.
        refusal: why it was not taken; empty if it was.
        seconds: what it took, measurements included.
        decibels: the SQNR with it, the mean over the outputs, on samples that it did not see; None if not measured.
        gain: by how many decibels that is better than before.
        error: the standard error of the gain.
        typical: by how many decibels one sample is closer, the mean over samples and outputs.
        doubt: the standard error of that.
        same: the share of these samples with the same class as FP32 in percent, where outputs hold classes.
        otherwise: by how many decibels the model is closer in the end if this one is decided the other way, and those
            behind it are done anew; None if that was not tried.
        top1: the accuracy with it in percent, on evaluation samples; None without labels, or if it was not taken.
        drift: the largest relative difference that it made to an output of the float model; None if it is to change it.
        notes: what it did, and what it left and why.
    """

    fix: str
    refusal: str = ""
    seconds: float = 0.0
    decibels: float | None = None
    gain: float = 0.0
    error: float = 0.0
    typical: float = 0.0
    doubt: float = 0.0
    same: float | None = None
    otherwise: float | None = None
    top1: float | None = None
    drift: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def helps(self) -> bool:
        """Whether it is better with than without, as far as can be told.

        What was measured is weighed against what is expected, each by its variance: on few samples chance moves more
        than most fixes do. Few that go wrong decide about the gain over all of them: it must only be no certain harm.
        """
        weighed = self.typical * SPREAD**2 + EXPECTED * self.doubt**2
        return weighed > 0.0 and self.gain > -self.error

    @property
    def is_taken(self) -> bool:
        """Whether the written model has it."""
        return not self.refusal


@dataclass(frozen=True)
class Fixes:
    """All that was tried on a model, in order.

    Attributes:
        attempts: one for each fix.
        samples: how many were kept aside to judge them on.
        decibels: the SQNR there without any fix, the mean over the outputs; None if there were no samples.
        same: the share of these samples with the same class as FP32 in percent, where outputs hold classes.
        labelled: evaluation samples that accuracy is measured on.
        top1: the accuracy there without any fix in percent; None without labels.
    """

    attempts: tuple[Attempt, ...] = ()
    samples: int = 0
    decibels: float | None = None
    same: float | None = None
    labelled: int = 0
    top1: float | None = None

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of those that the written model has."""
        return tuple(attempt.fix for attempt in self.attempts if attempt.is_taken)

    @property
    def gain(self) -> float:
        """By how many decibels the written model is better than without."""
        return sum(attempt.gain for attempt in self.attempts if attempt.is_taken)

    def refused(self, why: str) -> Fixes:
        """The same with none taken."""
        return replace(self, attempts=tuple(replace(one, refusal=one.refusal or why) for one in self.attempts))

    def to_json(self) -> dict[str, object]:
        """The account as plain data."""
        return {"taken": list(self.taken), "gain": self.gain, **asdict(self)}


NOTHING_TRIED = Fixes()
