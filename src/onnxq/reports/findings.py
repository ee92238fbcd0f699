"""Findings as a table for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.finding import Finding

STYLES = {"error": "red", "warning": "yellow"}


def findings_table(findings: Sequence[Finding], verbose: bool) -> RenderableType:
    """One row per rule with the first node that breaks it, and a summary.

    Args:
        findings: of one model.
        verbose: one row per node.
    """
    line = Text(_counts(findings), style="bold")
    if not findings:
        return line
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("severity", "rule", "node", "what", "fix", "source"):
        table.add_column(column, overflow="fold")
    for group in _groups(findings, verbose):
        first, more = group[0], len(group) - 1
        node = first.node or "the model"
        table.add_row(
            Text(first.severity, style=STYLES[first.severity]),
            first.rule,
            f"{node}\nand {more} more" if more else node,
            first.text,
            first.fix,
            first.source,
        )
    return Group(table, line)


def findings_json(findings: Sequence[Finding]) -> str:
    """The findings as JSON text."""
    counts = {f"{severity}s": _count(findings, severity) for severity in STYLES}
    return json.dumps({**counts, "findings": [finding.to_json() for finding in findings]}, indent=2) + "\n"


def _groups(findings: Sequence[Finding], verbose: bool) -> list[list[Finding]]:
    """The rows: errors first, and within them in the order of the rules."""
    rows: dict[object, list[Finding]] = {}
    for index, finding in enumerate(sorted(findings, key=lambda finding: finding.severity)):
        rows.setdefault(index if verbose else finding.rule, []).append(finding)
    return list(rows.values())


def _counts(findings: Sequence[Finding]) -> str:
    if not findings:
        return "No rule is broken."
    errors, warnings = (_count(findings, severity) for severity in ("error", "warning"))
    verdict = "the target refuses the model, or computes something else" if errors else "the target accepts the model"
    return f"{_number(errors, 'error')}, {_number(warnings, 'warning')}: {verdict}."


def _count(findings: Sequence[Finding], severity: str) -> int:
    return sum(finding.severity == severity for finding in findings)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
