"""The only stage that writes graphs: Q/DQ, then the rest in a shorter type; it touches nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from onnxq.core.format import Format
from onnxq.core.graph import GraphView, Site
from onnxq.core.names import Names
from onnxq.core.scales import Scales
from onnxq.core.spec import Spec
from onnxq.stages.rewrite.edited import edited
from onnxq.stages.rewrite.emulated import emulated
from onnxq.stages.rewrite.lowered import Lowered, lowered
from onnxq.stages.rewrite.pairs import Pair, activation_pair, weight_pair
from onnxq.stages.rewrite.protos import names_in, replace_all

__all__ = ["Lowered", "edited", "emulated", "lowered", "rewrite"]


def rewrite(
    model: onnx.ModelProto, view: GraphView, scales: Scales, readers: Iterable[Site], formats: Mapping[str, Format]
) -> onnx.ModelProto:
    """A copy of `model` in which `readers` read through Q/DQ.

    An activation gets one QuantizeLinear and one DequantizeLinear right behind its producer, shared by all its
    quantized readers. A weight becomes an integer initializer in the float one's place, with a DequantizeLinear in
    front of each reader. All else stays as it is, in its order.

    Args:
        model: a prepared model.
        view: of that model.
        scales: of every tensor that `readers` read.
        readers: the edges to quantize.
        formats: by name.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    names = Names(names_in(result.graph))
    pairs = {
        t: activation_pair(t, params, formats[params.spec.format], names) for t, params in scales.activations.items()
    }
    weights = _weight_pairs(view, scales, formats, names)
    edges = frozenset(readers)
    nodes = [node for tensor in view.inputs if tensor in pairs for node in pairs[tensor].nodes]
    for node in result.graph.node:
        sites = [Site(tensor, node.name, index) for index, tensor in enumerate(node.input)]
        for site in (site for site in sites if site in edges):
            pair = weights.get(site) or pairs[site.tensor]
            nodes += pair.nodes if site in weights else ()
            node.input[site.index] = pair.output
        nodes += [node, *(made for tensor in node.output if tensor in pairs for made in pairs[tensor].nodes)]
    replace_all(result.graph.node, nodes)
    added: dict[str, onnx.TensorProto] = {}
    for pair in (*weights.values(), *pairs.values()):
        added |= {tensor.name: tensor for tensor in pair.tensors}
    replace_all(result.graph.initializer, _initializers(result.graph, view, {site.tensor for site in weights}, added))
    return result


def _weight_pairs(view: GraphView, scales: Scales, formats: Mapping[str, Format], names: Names) -> dict[Site, Pair]:
    """A DequantizeLinear per reader; readers that store one weight in the same way share its integers."""
    made: dict[Site, Pair] = {}
    first: dict[tuple[str, Spec, bytes], Pair] = {}
    for site, params in scales.weights.items():
        key = site.tensor, params.spec, params.scale.tobytes()
        stored = formats[params.spec.format]
        made[site] = weight_pair(site.tensor, view.constants[site.tensor], params, stored, names, first.get(key))
        first.setdefault(key, made[site])
    return made


def _initializers(
    graph: onnx.GraphProto, view: GraphView, quantized: set[str], added: Mapping[str, onnx.TensorProto]
) -> list[onnx.TensorProto]:
    """The initializers without the float weights that nothing reads any more, and with the new ones."""
    read = {tensor for node in graph.node for tensor in node.input} | set(view.outputs) | view.captured
    kept = [tensor for tensor in graph.initializer if tensor.name not in quantized or tensor.name in read]
    return [*kept, *added.values()]
