"""Why a node or an edge may have to stay in float: each condition returns None, or the refusal as a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from onnxq.core.channels import channels
from onnxq.core.graph import GraphView, Node, Shape, Site
from onnxq.core.target import Scene, tail

ALIGNMENT = 16
"""Channels that an INT8 tensor-core kernel reads at once."""

MASKING = frozenset(("Where", "Cast"))
"""What may stand between the scores of an attention and their softmax, beside pointwise operators and copies."""

LONGEST = 512
"""Places that a fused INT8 attention kernel reaches."""


def carries(scene: Scene, node: Node) -> bool:
    """Whether Q/DQ pass through `node`."""
    return not node.domain and node.op in scene.target.commuting


def origins(scene: Scene, tensor: str) -> Iterator[str]:
    """The tensors that `tensor` is a copy of, itself included: upwards through operators that carry."""

    def sources(copy: str) -> Iterable[str]:
        node = scene.view.producers.get(copy)
        if node is None or not carries(scene, node):
            return ()
        return node.inputs if node.op == "Concat" else node.inputs[:1]

    return _reachable(tensor, sources)


def destinations(scene: Scene, tensor: str) -> Iterator[str]:
    """The tensors that are copies of `tensor`, itself included: downwards through operators that carry."""

    def copies(original: str) -> Iterable[str]:
        for site in scene.view.sites.get(original, ()):
            node = scene.view.by_name[site.node]
            if carries(scene, node) and (site.index == 0 or node.op == "Concat"):
                yield from node.outputs

    return _reachable(tensor, copies)


def _reachable(start: str, neighbours: Callable[[str], Iterable[str]]) -> Iterator[str]:
    found, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        yield at
        fresh = [tensor for tensor in neighbours(at) if tensor not in found]
        found.update(fresh)
        waiting.extend(fresh)


def few_channels(scene: Scene, node: Node) -> str | None:
    """Convolutions whose channels do not fill an INT8 kernel are faster in float."""
    if (found := channels(scene.view, node)) is None:
        return None
    inputs, outputs = found
    group, kernel = node.integer("group", 1), scene.view.constants[node.inputs[1]].shape[2:]
    if min(outputs, inputs) >= ALIGNMENT:
        return None
    square = len(set(kernel)) == 1
    if group == 1:
        stem = any(t in scene.view.inputs for t in origins(scene, node.inputs[0])) or max(outputs, inputs) >= ALIGNMENT
        fits = square and stem and (outputs % 8 == 0 or inputs % 8 == 0)
    else:
        fits = outputs % 8 == 0 and min(kernel) >= 3
    if fits:
        return None
    return f"{inputs} input and {outputs} output channels do not fill an INT8 kernel of {ALIGNMENT}"


def grouped(scene: Scene, node: Node) -> str | None:
    """Grouped transposed convolutions with Q/DQ are rejected by TensorRT."""
    group = node.integer("group", 1)
    return None if group == 1 else f"it has {group} groups, and a grouped transposed convolution has no INT8 kernel"


def thin_product(scene: Scene, node: Node) -> str | None:
    """Matrix products with a vector, or with fewer than 16 rows to sum over or columns, are faster in float."""
    rows, inner, columns = _product_shape(scene.view, node)
    if columns == 1 or rows == 1:
        return "it multiplies a matrix with a vector, which is bound by memory"
    for name, size in (("inner", inner), ("output", columns)):
        if size is not None and size < ALIGNMENT:
            return f"its {name} dimension of {size} does not fill an INT8 kernel of {ALIGNMENT}"
    return None


def run_time_weight(scene: Scene, node: Node) -> str | None:
    """Kernels unpack their weights when the engine is built."""
    return f"its weight '{node.inputs[1]}' is computed at run time"


def no_short_attention(scene: Scene, node: Node) -> str | None:
    """Of the products of two activations, only both of a short attention have an INT8 kernel, and only at once."""
    scores, products = attention(scene, node)
    if scores is None:
        return "both operands are computed at run time, and it is no part of an attention"
    longest = max((size or 0 for size in (scene.view.shapes.get(scores) or ())[-2:]), default=0)
    if longest == 0:
        return "it is part of an attention whose sequence length is known at run time only"
    if longest > LONGEST:
        return f"it is part of an attention over {longest} places, more than {LONGEST}"
    for other in products:
        if other != node and (other.name in scene.skipped or thin_product(scene, other)):
            return f"the other product of its attention, '{other.name}', stays in float"
    return None


def splits(scene: Scene, node: Node) -> bool:
    """Whether the result of `node` is cut into parts, through pointwise operators and copies at most."""
    made = _pointwise_results(scene, node.outputs[0])
    cuts = ("Split", "Slice", "Gather")
    return any(reader.op in cuts for tensor in made for reader in scene.view.consumers(tensor))


def absorbed(scene: Scene, node: Node) -> str | None:
    """A node that a kernel computes on its way out must not be cut from it by Q/DQ."""
    head = scene.heads.get(node.name)
    return f"it is fused into the kernel of '{head}'" if head else None


def constant_operand(scene: Scene, node: Node) -> str | None:
    """Pointwise operators with a constant operand are folded into their neighbours."""
    return "one operand is constant" if len(scene.view.variable_inputs(node)) < len(node.inputs) else None


def float_source(scene: Scene, node: Node) -> str | None:
    """INT8 is worth its conversion only where a kernel can write it: behind a weighted operator or another pair."""
    for tensor in scene.view.variable_inputs(node):
        for origin in origins(scene, tensor):
            producer = scene.view.producers.get(origin)
            if origin in scene.quantized or (producer and scene.heads.get(producer.name) in scene.readers):
                return None
    return "nothing in front of it writes INT8"


def float_result(scene: Scene, node: Node) -> str | None:
    """An operator that reads INT8 must also write it: its result has to reach Q/DQ, through copies at most."""
    if any(tensor in scene.quantized for tensor in destinations(scene, node.outputs[0])):
        return None
    return "its result is not read as INT8, so it would have to convert"


def graph_output(scene: Scene, node: Node) -> str | None:
    """Model outputs stay in float, and so do the operators that only prepare them."""
    return "it computes a model output" if node.outputs[0] in scene.view.outputs else None


def float_output(scene: Scene, node: Node) -> str | None:
    """A kernel that writes integers cannot write a model output, which is float."""
    rule = scene.target.rule(node)
    if rule and any(tail(scene.view, tensor, rule) in scene.view.outputs for tensor in node.outputs):
        return "it computes a model output, and its kernel only writes integers"
    return None


def interpolates(scene: Scene, node: Node) -> str | None:
    """Resize copies integers only where it need not compute any."""
    return None if node.attributes.get("mode", b"nearest") in (b"nearest", "nearest") else "it interpolates in float"


def no_convolution(scene: Scene, node: Node) -> str | None:
    """Only a convolution can write its result as INT8 for a normalization."""
    producer = scene.view.producers.get(node.inputs[0])
    if producer and producer.op in ("Conv", "ConvTranspose") and producer.name in scene.readers:
        return None
    return "no INT8 convolution writes its input"


def no_pair_yet(scene: Scene, site: Site) -> str | None:
    """An operand without another INT8 reader, of itself or of a copy, would need a pair, and a copy, of its own."""
    if any(tensor in scene.quantized for tensor in destinations(scene, site.tensor)):
        return None
    return "nothing else reads this operand as INT8"


def _pointwise_results(scene: Scene, tensor: str, further: frozenset[str] = frozenset()) -> Iterator[str]:
    """The tensors that pointwise, commuting and `further` operators make of `tensor`, itself included."""
    steps = scene.target.pointwise | scene.target.commuting | further

    def onwards(at: str) -> Iterable[str]:
        return (output for reader in scene.view.consumers(at) if reader.op in steps for output in reader.outputs)

    return _reachable(tensor, onwards)


def attention(scene: Scene, node: Node) -> tuple[str | None, list[Node]]:
    """The scores of the attention that the product `node` belongs to, and its products; (None, []) if there is none.

    An attention is product -> pointwise operators -> Softmax -> product, with copies anywhere.
    """
    view = scene.view
    upwards = [view.producers.get(origin) for origin in origins(scene, node.inputs[0])]
    softmax = next((maker for maker in upwards if maker and maker.op == "Softmax"), None)
    first = next(_products_above(scene, softmax.inputs[0]), None) if softmax else node
    if first is None:
        return (softmax.outputs[0], [node]) if softmax else (None, [])
    made = list(_pointwise_results(scene, first.outputs[0], MASKING))
    weights = [reader for tensor in made for reader in view.consumers(tensor) if reader.op == "Softmax"]
    if not weights:
        return None, []
    copies = [copy for reader in weights for copy in destinations(scene, reader.outputs[0])]
    second = [reader for copy in copies for reader in view.consumers(copy) if reader.op == "MatMul"]
    return first.outputs[0], [first, *second]


def _products_above(scene: Scene, tensor: str) -> Iterator[Node]:
    """The matrix products of two activations that pointwise operators and copies make `tensor` of."""
    steps = scene.target.pointwise | scene.target.commuting | MASKING

    def sources(at: str) -> Iterable[str]:
        maker = scene.view.producers.get(at)
        return scene.view.variable_inputs(maker) if maker and maker.op in steps else ()

    for at in _reachable(tensor, sources):
        maker = scene.view.producers.get(at)
        if maker and maker.op == "MatMul" and len(scene.view.variable_inputs(maker)) == 2:
            yield maker


def _product_shape(view: GraphView, node: Node) -> tuple[int | None, int | None, int | None]:
    """(rows, inner, columns) of a MatMul or Gemm, None where unknown. Batches count as rows if they share the right."""
    left, right = (_shape(view, tensor) for tensor in node.inputs[:2])
    flip_left, flip_right = node.integer("transA", 0), node.integer("transB", 0)
    inner = columns = rows = None
    if right:
        right = right[::-1] if flip_right else right
        inner, columns = (right[-2], right[-1]) if len(right) > 1 else (right[0], 1)
    if left:
        left = left[::-1] if flip_left else left
        rows = _product(left[:-1] if right is None or len(right) < 3 else left[-2:-1])  # of one product of a batch
    return rows, inner, columns


def _product(sizes: Iterable[int | None]) -> int | None:
    known = tuple(sizes)
    return None if None in known else math.prod(size or 0 for size in known)


def _shape(view: GraphView, tensor: str) -> Shape | None:
    return view.constants[tensor].shape if view.is_constant(tensor) else view.shapes.get(tensor)
