"""What fixes gained: as a table for a terminal, and as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onnxq.core.attempt import Attempt, Fixes
from onnxq.core.report import Fidelity, Report
from onnxq.reports.number import counted, decibels


def fixes_table(report: Report, verbose: bool = False) -> RenderableType:
    """What each fix gained, why it was not taken, and what all of them gained together.

    Args:
        report: of one quantization.
        verbose: say as well by how much the outputs of the float model moved, where that should keep what it computes.
    """
    fixes, classes = report.fixes, report.fixes.same is not None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    labels = fixes.top1 is not None
    optional = (
        *(("same class",) if classes else ()),
        *(("top-1",) if labels else ()),
        *(("drift",) if verbose else ()),
    )
    for head in ("fix", "SQNR", "gained", *optional, "time", ""):
        table.add_column(head, justify="left" if head in ("fix", "") else "right", overflow="fold")
    for one in fixes.attempts:
        refusal = Text("" if one.is_taken else f"not taken: {one.refusal}", style="yellow")
        drift = "" if one.drift is None else f"{one.drift:.1e}"
        shares = [*([percent(one.same)] if classes else []), *([percent(one.top1)] if labels else [])]
        figures = [measured(one), gained(one), *shares, *([drift] if verbose else [])]
        table.add_row(Text(one.fix, style="green" if one.is_taken else ""), *figures, f"{one.seconds:.1f} s", refusal)
    return Group(Text(f"Fixes, {judged_on(fixes)}", style="bold"), table, *map(Text, told(report)), Text())


def judged_on(fixes: Fixes) -> str:
    """What they were judged on, and how close the model is there without them."""
    if fixes.decibels is None:
        return "not judged: there are too few samples"
    where = counted(fixes.samples, "calibration sample")
    return f"judged on {where} that none of them saw; without any the SQNR is {decibels(fixes.decibels)} there"


def told(report: Report) -> Iterator[str]:
    """What a table of them does not say: what top-1 is, what another decision would cost, what all gained."""
    fixes = report.fixes
    if fixes.top1 is not None:
        where = counted(fixes.labelled, "evaluation sample")
        yield f"top-1 is the accuracy on {where} with all fixes so far; without any it is {percent(fixes.top1)}"
    for one in fixes.attempts:
        if one.otherwise is not None:
            other = "Without" if one.is_taken else "With"
            yield f"{other} {one.fix}, and with those behind it done anew, the SQNR would be {change(one.otherwise)}"
    yield from _together(report)


def _together(report: Report) -> Iterator[str]:
    """What all fixes gained on what fidelity is measured on, a sentence for each output."""
    before, after = report.plain, report.fidelity
    if before is None or after is None:
        return
    for output, figures in after.figures.items():
        if "sqnr" in figures and output in before.figures:
            where = counted(after.samples, f"{report.data} sample")
            yield f"Without and with fixes, '{output}' on {where}: {', '.join(_changes(before, after, output))}"


def measured(attempt: Attempt) -> str:
    """How close the model was with a fix."""
    return "" if attempt.decibels is None else decibels(attempt.decibels)


def gained(attempt: Attempt) -> str:
    """What a fix gained, with its standard error."""
    return "" if attempt.decibels is None else f"{attempt.gain:+.2f} ± {attempt.error:.2f} dB"


def change(gain: float) -> str:
    """By how much an SQNR is another."""
    return f"{abs(gain):.2f} dB {'higher' if gain > 0 else 'lower'}"


def percent(share: float | None) -> str:
    """A share of samples."""
    return "" if share is None else f"{share:.1f} %"


def _changes(before: Fidelity, after: Fidelity, output: str) -> Iterator[str]:
    old, new = before.figures[output], after.figures[output]
    yield f"SQNR {decibels(old['sqnr'])} and {decibels(new['sqnr'])}"
    for name, title in (("top1", "top-1"), ("agreement", "same class as FP32")):
        if name in old and name in new:
            yield f"{title} {old[name]:.2f} % and {new[name]:.2f} %"
