"""Q/DQ that keep TensorRT from fusing."""

from __future__ import annotations

from collections.abc import Iterator

from onnxq.catalog.conditions import destinations, float_result
from onnxq.catalog.conditions import origins as copied_from
from onnxq.stages.lint.reading import Reading
from onnxq.stages.lint.rule import Place, Rule


def _cut_kernels(reading: Reading) -> Iterator[Place]:
    heads, joins = reading.placement.heads, reading.placement.joins
    for node in reading.bare.nodes:
        head = heads.get(node.name)
        if head in (None, node.name) or node.name in joins or reading.copies(node):
            continue
        for tensor, shown in zip(node.inputs, reading.view.by_name[node.name].inputs, strict=True):
            maker = reading.bare.producers.get(tensor)
            if shown in reading.arriving and maker and heads.get(maker.name) == head:
                yield node.name, f"{node} reads '{shown}', though the kernel of '{head}' computes it"


def _joins(reading: Reading) -> Iterator[Place]:
    for name, shortcut in reading.placement.joins.items():
        head = reading.placement.heads.get(name)
        if head is None or not reading.reads_int8(reading.view.by_name[head]):
            continue
        join = reading.view.by_name[name]
        quantized = [tensor in reading.arriving for tensor in join.inputs]
        if all(quantized):
            yield name, f"{join} has two"
        elif not any(quantized):
            if reading.plans(join):
                yield name, f"{join} has none; its shortcut is '{join.inputs[shortcut]}'"
        elif not quantized[shortcut] and not _has_kernel(reading, name, shortcut):
            yield name, f"{join} has that of '{head}', and not the shortcut '{join.inputs[shortcut]}'"


def _has_kernel(reading: Reading, join: str, index: int) -> bool:
    """Whether a kernel of its own computes an operand, so that it might as well be the one that adds."""
    maker = reading.bare.producers.get(reading.bare.by_name[join].inputs[index])
    return maker is not None and maker.name in reading.placement.heads


def _concats(reading: Reading) -> Iterator[Place]:
    ties = {row.op for row in reading.target.ties}
    scales = _scales(reading)
    for node in reading.bare.nodes:
        if node.domain or node.op not in ties or node.name not in reading.view.by_name:
            continue
        behind = [tensor for tensor in destinations(reading.scene, node.outputs[0]) if tensor in scales]
        if not behind:
            continue
        before = [t for tensor in node.inputs for t in copied_from(reading.scene, tensor) if t in scales]
        found = {scale: tensor for tensor in (*before, *behind) for scale in scales[tensor]}
        if len(found) > 1:
            (one, left), (other, right) = list(found.items())[:2]
            yield node.name, f"around {node}, '{left}' has {one:g} and '{right}' {other:g}"


def _scales(reading: Reading) -> dict[str, tuple[float, ...]]:
    """The scales of each activation that is quantized, by its name without Q/DQ."""
    found: dict[str, tuple[float, ...]] = {}
    for node in reading.quantizers:
        scale = reading.scale(node)
        if node.inputs[0] not in reading.built and scale is not None and scale.size == 1:
            tensor = reading.origins[node.outputs[0]]
            found[tensor] = tuple(dict.fromkeys((*found.get(tensor, ()), float(scale.flat[0]))))
    return found


def _one_sided(reading: Reading) -> Iterator[Place]:
    for node in reading.bare.nodes:
        rule = reading.target.rule(node)
        if rule is None or float_result not in rule.unless or node.name in reading.placement.joins:
            continue
        shown = reading.view.by_name[node.name]
        read = [tensor for tensor in shown.inputs[: len(rule.inputs)] if reading.shape(tensor) != ()]
        arrives = not reading.arriving.isdisjoint(read)
        leaves = not reading.stored.isdisjoint(shown.outputs)
        if arrives and not leaves:
            yield node.name, f"{node} reads INT8 and writes float"
        elif leaves and not arrives and reading.plans(node):
            yield node.name, f"{node} reads float, which a kernel wrote that could write INT8, and writes INT8"


FUSION: tuple[Rule, ...] = (
    Rule(
        "cut-kernel",
        "warning",
        "No Q/DQ between a weighted operator and what its kernel computes on the way out",
        "Remove the pair in front of this node; the one behind it does the work.",
        "TensorRT guide, placement of Q/DQ; ModelOpt 0.47, partitioning",
        _cut_kernels,
    ),
    Rule(
        "residual-join",
        "warning",
        "A residual Add has one quantized operand, the shortcut",
        "Put Q/DQ on the shortcut and on no other operand.",
        "TensorRT guide, residual connections; TRT#1992, TRT#3270",
        _joins,
    ),
    Rule(
        "concat-scales",
        "warning",
        "What one Concat puts side by side for an INT8 reader shares a scale",
        "Give all of them the largest of the scales.",
        "TensorRT guide, Q/DQ propagation; TRT#4366",
        _concats,
    ),
    Rule(
        "one-sided",
        "warning",
        "A layer without weights reads and writes INT8, or neither",
        "Put Q/DQ on both sides of this node, or on none.",
        "TensorRT guide, non-commuting layers",
        _one_sided,
    ),
)
