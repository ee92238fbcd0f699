"""A Ranking as a bar chart, the front of a search as a curve; by matplotlib, which is imported where it is used."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxq.core.budget import Outcome
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.report import Fidelity
from onnxq.errors import RecipeError
from onnxq.reports.number import counted
from onnxq.reports.ranking import figure, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 40
"""Bars of a chart; what comes behind is counted."""

LONGEST = 44
"""Letters of a name; longer ones lose their middle."""

COLOURS = ("#3B6FB6", "#E07B39", "#4C9F70", "#B8497F", "#8C6BB1", "#B59B2B", "#4BA3C3", "#7A7A7A")
"""One per operator, in the order in which they come; the last is for all others."""

STYLE: Any = {"svg.hashsalt": "onnxq", "font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}

TITLES = {
    "alone": "Quantized alone: what is lost",
    "without": "Left in float: what is gained",
}


def check_plots() -> None:
    """Checks that charts can be drawn.

    Raises:
        RecipeError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401, PLC0415
    except ImportError as cause:
        raise RecipeError("Charts need matplotlib: pip install 'onnxq[plots]'") from cause


def ranking_chart(ranking: Ranking, kind: str, name: str = "") -> bytes:
    """Horizontal bars, the worst group at the top, in colours of their operators. The same bytes for the same ranking.

    Args:
        ranking: of one model.
        kind: "svg" or "png".
        name: of the model.

    Raises:
        RecipeError: matplotlib is not installed.
    """
    check_plots()
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = ranking.ranks[:MOST]
    with rc_context(STYLE):
        size = (5.2 + 4.3 * len(ranking.modes), 1.5 + 0.25 * len(shown))
        sheet = Figure(figsize=size, layout="constrained")
        panels = sheet.subplots(1, len(ranking.modes), squeeze=False, sharey=True)[0]
        colours = _colours(shown)
        for panel, mode in zip(panels, ranking.modes, strict=True):
            _draw(panel, ranking, shown, mode, colours)
        _legend(panels[-1], colours)
        sheet.suptitle(_heading(ranking, name), fontsize=11, fontweight="bold")
        return _saved(sheet, kind)


def front_chart(outcome: Outcome, kind: str, name: str = "") -> bytes:
    """Accuracy against the share of compute in INT8, with the budget as a line. The same bytes for the same outcome.

    Args:
        outcome: of a search for a budget.
        kind: "svg" or "png".
        name: of the model.

    Raises:
        RecipeError: matplotlib is not installed.
    """
    check_plots()
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    points = [point for point in outcome.front if math.isfinite(point.figure)]
    metric, reached = outcome.budget.metric, outcome.reached
    with rc_context(STYLE):
        sheet = Figure(figsize=(7.2, 4.4), layout="constrained")
        panel = sheet.subplots()
        shares = [100 * point.share for point in points]
        panel.plot(shares, [p.figure for p in points], "o-", color=COLOURS[0], markersize=4, label="measured")
        panel.axhline(outcome.allowed, color=COLOURS[1], linestyle="--", label=f"budget: {outcome.allowed:.4g}")
        if math.isfinite(reached.figure):
            panel.plot([100 * reached.share], [reached.figure], "o", color=COLOURS[2], markersize=9, label="chosen")
        panel.set_xlabel("compute in INT8, %")
        panel.set_ylabel(f"{metric} of the worst output")
        panel.set_xlim(-2, 102)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="#DDDDDD", linewidth=0.7)
        panel.set_axisbelow(True)
        panel.legend(frameon=False)
        sheet.suptitle(f"{name + ': ' if name else ''}{outcome.budget}", fontsize=11, fontweight="bold")
        return _saved(sheet, kind)


def _saved(sheet: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    sheet.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return file.getvalue()


def _draw(panel: Axes, ranking: Ranking, shown: tuple[Rank, ...], mode: str, colours: Mapping[str, str]) -> None:
    found: list[Fidelity] = [getattr(rank, mode) for rank in shown]
    metric = ranking.metric
    lengths = [one.loss(metric) if mode == "alone" else ranking.gain(one) for one in found]
    finite = [length if math.isfinite(length) else 0.0 for length in lengths]
    places = range(len(shown))
    bars = panel.barh(places, finite, color=[colours[_op(rank, colours)] for rank in shown], height=0.78)
    texts = [_label(ranking, one) for one in found]
    panel.bar_label(bars, texts, padding=3, fontsize=8, color="#444444")
    panel.set_yticks(places, [_short(rank.group.name) for rank in shown])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.margins(x=0.2)
    panel.set_xlabel((mode == "alone" and metric.loss_unit) or ", ".join(filter(None, (title(metric), metric.unit))))
    panel.set_title(TITLES[mode], loc="left", fontsize=10)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="#DDDDDD", linewidth=0.7)
    panel.set_axisbelow(True)


def _label(ranking: Ranking, found: Fidelity) -> str:
    """The figure of the worst output, and its name where there are several."""
    output, value = found.worst(ranking.metric)
    name = f"  {_short(output)}" if output and len(found.figures) > 1 else ""
    return f"{figure(ranking.metric, value)}{name}"


def _colours(shown: tuple[Rank, ...]) -> dict[str, str]:
    """The colour of each operator; those that come late share the last one."""
    ops = list(dict.fromkeys(rank.group.op for rank in shown))
    named = ops if len(ops) <= len(COLOURS) else [*ops[: len(COLOURS) - 1], "others"]
    return dict(zip(named, COLOURS, strict=False))


def _op(rank: Rank, colours: Mapping[str, str]) -> str:
    return rank.group.op if rank.group.op in colours else "others"


def _legend(panel: Axes, colours: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    panel.legend(
        handles=[Patch(color=colour, label=op) for op, colour in colours.items()], loc="lower right", frameon=False
    )


def _heading(ranking: Ranking, name: str) -> str:
    count = len(ranking.ranks)
    groups = f"{count} groups" if count <= MOST else f"the worst {MOST} of {count} groups"
    whole = figure(ranking.metric, ranking.full.worst(ranking.metric)[1])
    return f"{name + ': ' if name else ''}{groups}, {counted(ranking.samples, 'sample')}; all quantized: {whole}"


def _short(name: str) -> str:
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
