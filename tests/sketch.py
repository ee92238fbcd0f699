"""Graphs drawn in a few lines, for tests that need no numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from onnxq.core.graph import GraphView, Node, Shape

LINE = re.compile(
    r"(?:(?P<name>\w+):)?\s*(?P<outputs>[\w, ]+)=\s*(?P<op>[\w.]+)\((?P<inputs>.*?)\)\s*(?P<attributes>.*)"
)
CONSTANT = re.compile(r"(\w+)\[([\d,]*)\]")


def sketch(text: str, shapes: Mapping[str, Shape] | None = None, outputs: tuple[str, ...] = ()) -> GraphView:
    """A view of the nodes in `text`, one per line: ``name: result = Op(tensor, weight[8,8,3,3]) attribute=1``,
    or ``attribute=2,2`` for a list.

    A tensor with dimensions is a constant of ones. A node without a name is called as its first result. What nobody
    computes is a graph input; what nobody reads is a graph output, beside `outputs`. A dotted operator has a domain.
    """
    nodes: list[Node] = []
    constants: dict[str, np.ndarray] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        found = LINE.fullmatch(line)
        assert found, line
        for name, dims in CONSTANT.findall(found["inputs"]):
            constants[name] = np.ones([int(d) for d in dims.split(",") if d], np.float32)
        inputs = tuple(t.strip() for t in re.split(r",\s*(?![\d,]*\])", CONSTANT.sub(r"\1", found["inputs"])))
        results = tuple(t.strip() for t in found["outputs"].split(","))
        domain, _, op = found["op"].rpartition(".")
        attributes = {key: _value(value) for key, value in re.findall(r"(\w+)=([\d,]+)", found["attributes"])}
        nodes.append(Node(found["name"] or results[0], op, inputs, results, attributes, domain))
    made = {t for node in nodes for t in node.outputs}
    read = dict.fromkeys(t for node in nodes for t in node.inputs if t)
    return GraphView(
        nodes=tuple(nodes),
        inputs=tuple(t for t in read if t not in made and t not in constants),
        outputs=(*(t for node in nodes for t in node.outputs if t not in read), *outputs),
        constants=constants,
        shapes=dict(shapes or {}),
        dtypes=dict.fromkeys((*made, *read), "float32"),
    )


def _value(text: str) -> int | list[int]:
    return [int(part) for part in text.split(",")] if "," in text else int(text)
