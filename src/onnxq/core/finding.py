"""What a rule has to say about one place in a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule.

    Attributes:
        severity: "error" where the engine refuses the model or computes something else; "warning" where it is slow.
        rule: the name of the rule.
        node: the name of the node, as in the file; empty if it is about the model as a whole.
        text: what the rule asks for, and what is there instead.
        fix: what to change.
        source: where the rule is documented.
    """

    severity: Severity
    rule: str
    node: str
    text: str
    fix: str
    source: str

    def to_json(self) -> dict[str, str]:
        """The finding as plain data."""
        return {
            "severity": self.severity,
            "rule": self.rule,
            "node": self.node,
            "text": self.text,
            "fix": self.fix,
            "source": self.source,
        }
