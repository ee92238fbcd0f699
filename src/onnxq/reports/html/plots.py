"""Plots of a report as SVG for the inside of an HTML page, by matplotlib, which is imported where it is used.

A page has many plots and two colour schemes. So each plot's ids are its own, and its colours become names that the
page's style sheet knows.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxq.core.budget import Outcome
from onnxq.core.channel_ranges import ChannelRanges
from onnxq.core.comparison import CEILING, Comparison, Layer
from onnxq.core.histogram import Histogram
from onnxq.core.standings import Standings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, FILL, TAKEN, MARK = "#010101", "#010102", "#010103", "#010104", "#010105"
WAYS = {"max": "#010106", "percentile": "#010107", "entropy": "#010108", "mse": "#010109"}
NAMES = {INK: "ink", GRID: "grid", FILL: "fill", TAKEN: "taken", MARK: "mark"} | {
    colour: f"way-{name}" for name, colour in WAYS.items()
}
"""Colours that matplotlib is told -> what the style sheet calls them."""

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": True,
}

SMALL, WIDE = (3.4, 1.5), (9.0, 3.0)
"""Inches."""

FRAME = (0.13, 0.17, 0.85, 0.79)
"""Where the axes of a small plot lie in it: left, bottom, width, height."""

MOST = 40
"""Bars of a chart."""


def histogram(found: Histogram, key: str) -> str:
    """How often each number was seen, on a logarithmic scale, with the ends that each calibrator would clip at.

    Args:
        found: an activation.
        key: tells the ids of this plot from those of others.
    """
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415

    def draw(panel: Axes) -> None:
        edges = found.left + found.width * np.arange(len(found.counts) + 1)
        panel.stairs(np.maximum(found.counts, 0.6), edges, baseline=0.6, fill=True, color=FILL)
        panel.set_yscale("log")
        panel.set_ylim(bottom=0.6)
        for name, kept in found.ways.items():
            for end in _ends(found, kept.low, kept.high):
                panel.axvline(end, color=WAYS.get(name, INK), linewidth=1.2, linestyle=(0, (3, 2)))
        if found.taken:
            for end in _ends(found, found.taken.low, found.taken.high):
                panel.axvline(end, color=TAKEN, linewidth=2.2, alpha=0.75, zorder=1.5)
        panel.minorticks_off()
        panel.yaxis.set_major_formatter(EngFormatter(sep=""))
        panel.locator_params(axis="y", numticks=4)
        panel.locator_params(axis="x", nbins=5)

    return _drawn(draw, SMALL, key)


def channels(found: ChannelRanges, key: str) -> str:
    """The range of each channel of a weight."""

    def draw(panel: Axes) -> None:
        edges = np.arange(len(found.lows) + 1)
        panel.stairs(found.highs, edges, baseline=found.lows, fill=True, color=FILL)
        panel.axhline(0, color=GRID, linewidth=0.8)
        panel.use_sticky_edges = False
        panel.autoscale_view()
        panel.set_xlim(0, len(found.lows))
        panel.locator_params(nbins=4)

    return _drawn(draw, SMALL, key)


def errors(layers: Sequence[Layer], key: str) -> str:
    """The SQNR of each tensor in graph order; where it drops most is marked."""

    def draw(panel: Axes) -> None:
        figures = [min(layer.figures.get("sqnr", math.nan), CEILING) for layer in layers]
        places = {layer.tensor: place for place, layer in enumerate(layers)}
        panel.plot(range(len(layers)), figures, color=FILL, linewidth=1.4, marker=".", markersize=3)
        for number, layer in enumerate(Comparison(0, {}, tuple(layers)).marked, 1):
            place = places[layer.tensor]
            panel.plot([place], [figures[place]], "o", color=MARK, markersize=6)
            panel.annotate(str(number), (place, figures[place]), (4, -10), textcoords="offset points", color=MARK)
        panel.set_ylabel("SQNR, dB")
        panel.set_xlabel("tensors in the order of the graph")
        panel.grid(axis="y", color=GRID, linewidth=0.6)
        panel.margins(x=0.01)

    return _drawn(draw, WIDE, key)


def sensitivity(found: Standings, key: str) -> str:
    """The share of the damage that each group does, the worst at the top."""
    shown = found.rows[:MOST]

    def draw(panel: Axes) -> None:
        lengths = [row.share if math.isfinite(row.share) else 0.0 for row in shown]
        bars = panel.barh(range(len(shown)), lengths, color=FILL, height=0.75)
        panel.bar_label(bars, [f"{row.share:.1f} %" if math.isfinite(row.share) else "-" for row in shown], padding=3)
        panel.set_yticks(range(len(shown)), [f"{short(row.group)}  {row.op}" for row in shown])
        panel.set_ylim(len(shown) - 0.4, -0.6)
        panel.set_xlabel("share of the damage, %")
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
        panel.margins(x=0.12)

    return _drawn(draw, (9.0, 0.8 + 0.21 * len(shown)), key)


def front(outcome: Outcome, key: str) -> str:
    """Accuracy against the share of compute in INT8, with the budget as a line."""

    def draw(panel: Axes) -> None:
        points = [point for point in outcome.front if math.isfinite(point.figure)]
        panel.plot([100 * p.share for p in points], [p.figure for p in points], ".-", color=FILL)
        panel.axhline(outcome.allowed, color=MARK, linestyle="--", linewidth=1.2)
        panel.annotate("budget", (0, outcome.allowed), (2, 3), textcoords="offset points", color=MARK)
        if math.isfinite(outcome.reached.figure):
            panel.plot([100 * outcome.reached.share], [outcome.reached.figure], "o", color=TAKEN, markersize=8)
        panel.set_xlabel("compute in INT8, %")
        panel.set_ylabel(f"{outcome.budget.metric} of the worst output")
        panel.set_xlim(-2, 102)
        panel.grid(color=GRID, linewidth=0.6)

    return _drawn(draw, WIDE, key)


def short(name: str, longest: int = 44) -> str:
    """A name; longer ones lose their middle."""
    half = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def _ends(found: Histogram, low: float, high: float) -> list[float]:
    """Where a range ends, as far as numbers lie there."""
    reach = found.left + found.width * len(found.counts)
    return [end for end in (low, high) if end and found.left - found.width <= end <= reach]


def _drawn(draw: Callable[[Axes], None], size: tuple[float, float], key: str) -> str:
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({**STYLE, "svg.hashsalt": key}):
        small = size == SMALL
        sheet = Figure(figsize=size, layout=None if small else "constrained")  # which takes as long as all the rest
        sheet.patch.set_visible(False)
        panel = sheet.add_axes(FRAME) if small else sheet.subplots()
        panel.patch.set_visible(False)
        draw(panel)
        file = io.StringIO()
        sheet.savefig(file, format="svg", metadata={"Date": None})
    return _inlined(file.getvalue(), key)


def _inlined(svg: str, key: str) -> str:
    """What may stand inside a page: without head and metadata, with ids of its own and named colours."""
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r' (xmlns(:xlink)?|version)="[^"]*"| transform="rotate\(-0 [^"]*"', "", body)
    used = set(re.findall(r'(?:href="#|url\(#)([\w-]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(href="#|url\(#)([\w-]+)', rf"\g<1>{key}-\g<2>", body)
    body = re.sub(r"#0101\d\d\b", lambda m: f"var(--{NAMES[m[0]]})", body)
    body = body.replace("'DejaVu Sans'", "system-ui, sans-serif")
    body = re.sub(r"(\d\.\d)\d{3,}", r"\1", body)  # a tenth of a point is enough
    body = re.sub(r"\s*\n\s*", "\n", body)
    return body.replace("<svg ", '<svg class="plot" aria-hidden="true" ', 1)
