"""What a lint rule is: a row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from onnxq.core.finding import Finding, Severity
from onnxq.stages.lint.reading import Reading

Place = tuple[str, str]
"""The name of a node, and a sentence about it."""


@dataclass(frozen=True)
class Rule:
    """Something that a Q/DQ model should keep.

    Attributes:
        name: as it is printed.
        severity: "error" where the engine refuses the model or computes something else, "warning" where it is slow.
        text: what is asked for, as a sentence.
        fix: what to change.
        source: who asks for it.
        broken: yields each place that breaks it.
    """

    name: str
    severity: Severity
    text: str
    fix: str
    source: str
    broken: Callable[[Reading], Iterator[Place]]

    def findings(self, reading: Reading) -> Iterator[Finding]:
        """One finding for each place that breaks the rule."""
        for node, place in self.broken(reading):
            yield Finding(self.severity, self.name, node, f"{self.text}: {place}", self.fix, self.source)
