"""What a person wants to know first, as a few figures with a remark each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.budget import Outcome
from onnxq.core.dossier import INT8, Dossier
from onnxq.core.report import Fidelity, Report
from onnxq.reports.front import number
from onnxq.reports.number import decibels
from onnxq.reports.text import size


@dataclass(frozen=True)
class Card:
    """A figure.

    Attributes:
        title: what it is of.
        value: the figure with its unit.
        remark: what it means.
        tone: "good" or "bad" where it can be told, else empty.
    """

    title: str
    value: str
    remark: str
    tone: str = ""


def cards(dossier: Dossier) -> tuple[Card, ...]:
    """How close the model is to FP32, how much of it is in INT8, how large it is, and what stays in float."""
    return tuple(_cards(dossier))


def error_share(sqnr: float) -> str:
    """What an SQNR means: the power of the error as a share of that of the signal."""
    share = 100 * 10 ** (-sqnr / 10)
    return f"{share:.3g} %" if math.isfinite(share) else "all"


def percent(share: float) -> str:
    """A share that only says all or nothing if it is so."""
    if 0.0 < share < 0.001:
        return "below 0.1 %"
    return "above 99.9 %" if 0.999 < share < 1.0 else f"{share:.1%}".replace("%", " %")


def _cards(dossier: Dossier) -> Iterator[Card]:
    report = dossier.report
    if dossier.outcome:
        yield _budget(dossier.outcome)
    if report and report.fidelity:
        yield from _fidelity(report, report.fidelity)
    else:
        yield Card("Fidelity to FP32", "not measured", "Give samples with --eval to measure it.")
    yield _integers(dossier)
    if report:
        before, after = report.sizes
        yield Card("Size", size(after), f"FP32 has {size(before)}: {100 * after / before:.0f} % of it.")
    yield _floats(dossier)


def _budget(outcome: Outcome) -> Card:
    of_fp32 = "" if outcome.baseline is None else f", FP32 {number(outcome.baseline)}"
    remark = f"{outcome.budget} ({number(outcome.allowed)}). Reached: {number(outcome.reached.figure)}{of_fp32}."
    return Card("Budget", "kept" if outcome.met else "not kept", remark, "good" if outcome.met else "bad")


def _fidelity(report: Report, close: Fidelity) -> Iterator[Card]:
    where = f"On {close.samples} {report.data} samples."
    for output, figures in close.figures.items():
        if "top1" in figures:
            before = close.baselines[output]["top1"]
            same = f"The same class as FP32 in {figures['agreement']:.2f} %. {where}"
            yield Card("Top-1", f"{figures['top1']:.2f} %", f"FP32 has {before:.2f} %. {same}")
    output, worst = close.worst(SQNR)
    if not output:
        return
    several = f"Output '{output}', the worst of {len(close.figures)}. " if len(close.figures) > 1 else ""
    power = f"The error has {error_share(worst)} of the signal's power. " if math.isfinite(worst) else ""
    yield Card("SQNR", decibels(worst), f"{several}{power}{where}", "bad" if worst < 0 else "")


def _integers(dossier: Dossier) -> Card:
    nodes = [node for node in dossier.view.nodes if dossier.kind(node) == INT8]
    done, total = Counter(n.op for n in nodes), Counter(n.op for n in dossier.view.nodes)
    ops = ", ".join(f"{count} of {total[op]} {op}" for op, count in done.most_common(4))
    remark = f"{ops} read integers." if ops else "Nothing is quantized."
    if dossier.share is None:
        return Card("In INT8", f"{len(nodes)} nodes", f"{remark} Shares need fixed shapes.")
    return Card("Compute in INT8", percent(dossier.share), remark)


def _floats(dossier: Dossier) -> Card:
    total = sum(dossier.macs.values())
    heavy = [node for node in dossier.floats if dossier.macs.get(node.name)]
    kinds = Counter(dossier.kind(node) for node in dossier.floats)
    types = " and ".join(f"{count} in {kind}" for kind, count in kinds.most_common())
    part = sum(dossier.macs[node.name] for node in heavy) / total if total else 0.0
    multiply = "1 of them multiplies" if len(heavy) == 1 else f"{len(heavy)} of them multiply"
    what = f"{multiply}, {percent(part)} of the compute." if heavy else "None of them multiplies."
    return Card("In float", f"{len(dossier.floats)} nodes", f"{types}. {what}" if types else "Nothing.")
