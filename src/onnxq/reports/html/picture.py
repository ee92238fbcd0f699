"""The graph as an SVG picture, with what each node computes in as its colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from onnxq.core.dossier import Dossier
from onnxq.reports.html.layout import Layout, Point, layered
from onnxq.reports.html.parts import MOST, Part, Parts, parts_of
from onnxq.reports.html.plots import short

WIDTH, HEIGHT = 132, 30
ACROSS, DOWN = 150, 54
"""From the middle of a box to that of the next."""


def graph_svg(dossier: Dossier, numbers: Mapping[str, int]) -> tuple[str, str]:
    """The picture, and a sentence about what it shows.

    Args:
        dossier: of a model.
        numbers: node -> its number; the page has an element "n" + number for each.
    """
    parts = parts_of(dossier)
    layout = layered(len(parts.boxes), parts.edges)
    width, height = round(layout.width * ACROSS) + 20, layout.height * DOWN
    body = "".join((*_edges(parts, layout), *_boxes(parts, layout, numbers)))
    svg = f'<svg class="graph" role="img" aria-label="graph" width="{width}" height="{height}" '
    runs = f" as {len(parts.boxes)} boxes: where there are more than {MOST} nodes, a box is several"
    what = f"{len(dossier.view.nodes)} nodes{'' if parts.whole else runs}."
    return f'{svg}viewBox="0 0 {width} {height}">{body}</svg>', what


def _edges(parts: Parts, layout: Layout) -> Iterator[str]:
    for edge, integers in parts.edges.items():
        points = [_pixels(point) for point in layout.routes[edge]]
        (x, y), *rest = points
        way = [f"M{x:.0f} {y + HEIGHT / 2:.0f}"]
        y += HEIGHT / 2
        for number, (to, down) in enumerate(rest, 1):
            end = down - HEIGHT / 2 if number == len(rest) else down
            way.append(f"C{x:.0f} {(y + end) / 2:.0f} {to:.0f} {(y + end) / 2:.0f} {to:.0f} {end:.0f}")
            x, y = to, end
        yield f'<path class="edge{" q" if integers else ""}" d="{"".join(way)}"/>'


def _boxes(parts: Parts, layout: Layout, numbers: Mapping[str, int]) -> Iterator[str]:
    for part, point in zip(parts.boxes, layout.points, strict=True):
        x, y = _pixels(point)
        first, more = part.nodes[0], len(part.nodes) - 1
        names = "\n".join(f"{node.op} {node.name}" for node in part.nodes[:12])
        yield (
            f'<a href="#n{numbers[first.name]}" tabindex="-1" class="box {css_class(part.kind)}">'
            f"<title>{escape(names)}{f'{chr(10)}…' if more > 11 else ''}\n{part.kind}</title>"
            f'<rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
            f'<text x="{x:.0f}" y="{y - 2:.0f}">{escape(_operators(part))}</text>'
            f'<text class="name" x="{x:.0f}" y="{y + 10:.0f}">{escape(short(first.name, 24))}</text></a>'
        )


def _operators(part: Part) -> str:
    ops = list(dict.fromkeys(node.op for node in part.nodes))
    count = f" ({len(part.nodes)})" if len(part.nodes) > 1 else ""
    return short("+".join(ops), 20 - len(count)) + count


def _pixels(point: Point) -> tuple[float, float]:
    return (point[0] + 0.5) * ACROSS + 10, (point[1] + 0.5) * DOWN


def css_class(kind: str) -> str:
    """What the style sheet calls a kind of node."""
    return "k-" + kind.lower().replace(" ", "-")
