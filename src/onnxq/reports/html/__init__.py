"""A Dossier as one HTML page that needs nothing but a browser. The same bytes for the same dossier."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onnxq.core.comparison import CEILING, Comparison
from onnxq.core.dossier import Dossier
from onnxq.core.graph import Node
from onnxq.core.report import refused_of
from onnxq.errors import RecipeError
from onnxq.reports import fixes
from onnxq.reports.html.verdict import cards, error_share
from onnxq.reports.number import decibels

DRAWN = 200
"""Tensors of a kind that are drawn: those that lose most to clipping, or whose channels differ most."""


def check_report() -> None:
    """Checks that reports can be made.

    Raises:
        RecipeError: jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: F401, PLC0415
        import matplotlib  # noqa: F401, PLC0415
    except ImportError as cause:
        raise RecipeError("HTML reports need jinja2 and matplotlib: pip install 'onnxq[report]'") from cause


def report_html(dossier: Dossier) -> bytes:
    """The page.

    Raises:
        RecipeError: jinja2 or matplotlib is not installed.
    """
    check_report()
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    pages = Environment(
        loader=PackageLoader("onnxq.reports.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = {name: pages.loader.get_source(pages, name)[0] for name in ("page.css", "page.js")} if pages.loader else {}
    text = pages.get_template("page.html.j2").render(style=parts["page.css"], script=parts["page.js"], **_told(dossier))
    return text.encode()


def _told(dossier: Dossier) -> Mapping[str, Any]:
    """What the template is given."""
    from onnxq.reports.html import picture, plots  # noqa: PLC0415

    numbers = {node.name: number for number, node in enumerate(dossier.view.nodes)}
    graph, graph_says = picture.graph_svg(dossier, numbers)
    shown, heavy = _most(dossier.histograms, lambda h: h.clipped), _most(dossier.weights, lambda w: w.spread)
    marked = Comparison(0, {}, dossier.layers).marked
    kinds = dict.fromkeys(dossier.kind(node) for node in dossier.view.nodes)
    return {
        "dossier": dossier,
        "cards": cards(dossier),
        "fidelity": dossier.report.fidelity if dossier.report else None,
        "fixes": dossier.report.fixes if dossier.report and dossier.report.fixes.attempts else None,
        "told": fixes,
        "rows": tuple(_rows(dossier)),
        "refused": refused_of(dossier.view, dossier.plan),
        "kinds": {kind: picture.css_class(kind) for kind in kinds},
        "graph": graph,
        "graph_says": graph_says,
        "errors": plots.errors(dossier.layers, "e") if dossier.layers else "",
        "marked": [(one, numbers[dossier.view.producers[one.tensor].name]) for one in marked],
        "histograms": [(one, plots.histogram(one, f"h{n}")) for n, one in enumerate(shown)],
        "weights": [(one, plots.channels(one, f"w{n}")) for n, one in enumerate(heavy)],
        "sensitivity": plots.sensitivity(dossier.standings, "s") if dossier.standings else "",
        "front": plots.front(dossier.outcome, "f") if dossier.outcome and dossier.outcome.front else "",
        "ways": tuple(plots.WAYS),
        "error_share": error_share,
        "decibels": decibels,
    }


@dataclass(frozen=True)
class Row:
    """A node as a line of the table; see there."""

    node: Node
    kind: str
    share: float
    sqnr: float
    drop: float
    reasons: Mapping[str, str]


def _rows(dossier: Dossier) -> Iterator[Row]:
    total = sum(dossier.macs.values()) or 1
    for node in dossier.view.nodes:
        layer = dossier.errors.get(node.name)
        sqnr = min(layer.figures.get("sqnr", math.nan), CEILING) if layer else math.nan
        reasons: dict[str, str] = {}
        for decision in dossier.refusals.get(node.name, ()):
            edge = f"{decision.reason} ({decision.source})" if decision.source else decision.reason
            reasons[edge] = f"{reasons[edge]}, {decision.site.index}" if edge in reasons else str(decision.site.index)
        share = dossier.macs.get(node.name, 0) / total
        yield Row(node, dossier.kind(node), share, sqnr, layer.drop if layer else math.nan, reasons)


def _most(found: tuple[Any, ...], key: Any) -> list[Any]:
    """All of them, or those with the largest keys; in their order."""
    worst = sorted(found, key=lambda one: -key(one))[:DRAWN]
    chosen = set(map(id, worst))
    return [one for one in found if id(one) in chosen]
