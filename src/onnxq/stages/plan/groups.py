"""What is quantized or left in float together: what one kernel computes, or a block of kernels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from onnxq.catalog.conditions import attention
from onnxq.core.crossing import crossing
from onnxq.core.graph import GraphView, Site
from onnxq.core.group import Group
from onnxq.core.plan import Plan
from onnxq.core.target import Scene, Target
from onnxq.core.work import Sizes, macs_of, traffic_of
from onnxq.stages.plan.kernels import kernel_heads
from onnxq.stages.plan.residuals import residual_joins

FLOATS = ("float32", None)
"""Types of the tensors that carry what a model computes; None stands for an unknown one."""


def kernels(plan: Plan, view: GraphView, target: Target, sizes: Sizes) -> tuple[Group, ...]:
    """The kernels that read integers in `plan`, in graph order.

    A quantized node that no kernel computes is a group of its own. Both products of an attention are one group: they
    are in INT8 together, or in float.

    Args:
        plan: what is quantized.
        view: the graph it was made for.
        target: says what kernels compute.
        sizes: shapes for one sample.
    """
    owners = _owners(plan, view, target)
    sites: dict[str, list[Site]] = {}
    for decision in plan.quantized:
        sites.setdefault(owners[decision.site.node], []).append(decision.site)
    nodes: dict[str, list[str]] = {}
    for node in view.nodes:
        if owners[node.name] in sites:
            nodes.setdefault(owners[node.name], []).append(node.name)
    return tuple(_group(view, name, members, sites[name], sizes) for name, members in nodes.items())


def blocks(groups: Sequence[Group], view: GraphView) -> tuple[Group, ...]:
    """`groups` joined to blocks: those between two places that only one tensor crosses, such as a residual block.

    Args:
        groups: in graph order.
        view: the graph they are of.
    """
    places = {node.name: place for place, node in enumerate(view.nodes)}
    spans = [sorted(places[name] for name in group.nodes) for group in groups]
    inside = {place for span in spans for place in range(span[0] + 1, span[-1] + 1)}
    borders = [place for place in _narrow(view) if place not in inside]
    found: dict[int, list[Group]] = {}
    for group, span in zip(groups, spans, strict=True):
        found.setdefault(bisect_right(borders, span[0]), []).append(group)
    return tuple(_joined(members) for members in found.values())


def _owners(plan: Plan, view: GraphView, target: Target) -> Mapping[str, str]:
    """For each node the name of the node that its group is called after."""
    heads = kernel_heads(view, target, residual_joins(view, target))
    scene = Scene(view, target, heads, frozenset(plan.activations))
    owners = {node.name: heads.get(node.name, node.name) for node in view.nodes}
    activations = {d.site.node for d in plan.quantized if d.spec and d.spec.role == "activation" and d.site.index == 1}
    for node in view.nodes:
        if node.op == "MatMul" and node.name in activations:
            _, products = attention(scene, node)
            owners |= {other.name: owners[products[0].name] for other in products if other.name in activations}
    return owners


def _group(view: GraphView, name: str, members: Sequence[str], sites: Sequence[Site], sizes: Sizes) -> Group:
    nodes = [view.by_name[member] for member in members]
    macs = sum(macs_of(view, node, sizes) for node in nodes)
    return Group(name, view.by_name[name].op, tuple(members), tuple(sites), macs, traffic_of(view, nodes, sizes))


def _narrow(view: GraphView) -> Iterator[int]:
    """The places that one float tensor crosses on its way to a reader."""
    readers = {tensor: [view.by_name[site.node] for site in sites] for tensor, sites in view.sites.items()}
    places = {node.name: place for place, node in enumerate(view.nodes)}
    last = {tensor: max(places[node.name] for node in nodes) for tensor, nodes in readers.items()}
    for place, tensors in enumerate(crossing(view)):
        read = [t for t in tensors if last.get(t, -1) >= place or t in view.captured]
        if sum(view.dtype(tensor) in FLOATS for tensor in read) == 1:
            yield place


def _joined(members: Sequence[Group]) -> Group:
    first, last = members[0], members[-1]
    if len(members) == 1:
        return first
    return Group(
        name=f"{first.name} to {last.name}",
        op="block",
        nodes=tuple(name for group in members for name in group.nodes),
        sites=tuple(site for group in members for site in group.sites),
        macs=sum(group.macs for group in members),
        bytes=sum(group.bytes for group in members),
    )
