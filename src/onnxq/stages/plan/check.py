"""What is refused: a model that is quantized already, an empty plan, and an edited plan that the target cannot run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from onnxq.core.graph import GraphView, Node
from onnxq.core.plan import Decision, Plan
from onnxq.core.spec import PerAxis, PerTensor
from onnxq.core.target import OpRule, Scene, Target
from onnxq.errors import ModelError, PlanError
from onnxq.stages.plan.kernels import kernel_heads
from onnxq.stages.plan.residuals import joins_of


def check_plan(made: Plan, view: GraphView, target: Target, formats: Container[str]) -> None:
    """Checks that the target can run a plan that somebody else made. What it would advise against is allowed.

    Raises:
        PlanError: it names an unknown format or join, quantizes what the target reads in float only, cuts a weight
            along another axis than its channels', quantizes some operands of a kernel but not all, or cuts a kernel.
        ModelError: it quantizes nothing, or the model is quantized already.
    """
    refuse_quantized(view)
    check_not_empty(made)
    joins = joins_of(made, view, target)
    heads = kernel_heads(view, target, joins)
    scene = Scene(view, target, heads, frozenset(made.activations))
    if unknown := [name for name in made.residuals if name not in view.by_name]:
        raise PlanError(f"The plan names the residual join '{unknown[0]}', which the model lacks.")
    for decision in made.quantized:
        if decision.spec and decision.spec.format not in formats:
            raise PlanError(f"The plan stores {decision.site} as '{decision.spec.format}', which is no known format.")
        if reason := _illegal(scene, decision, view.by_name[decision.site.node], decision.site.node in joins):
            raise PlanError(f"The plan quantizes {decision.site}, but {reason}. Set its spec to null.")
    _check_operands(made, view, target)


def _illegal(scene: Scene, decision: Decision, node: Node, joins: bool) -> str | None:
    """Why the target cannot run a decision."""
    spec, index, rule = decision.spec, decision.site.index, scene.target.rule(node)
    if spec is None:
        return None
    if spec.role == "weight":
        return _illegal_weight(scene, decision, node, rule)
    reads_back = scene.target.writes_integers
    if not (joins or reads_back) and (rule is None or index not in rule.inputs):
        return f"the target '{scene.target.name}' has no INT8 rule for input {index} of {node.op}"
    maker = scene.view.producers.get(decision.site.tensor)
    head = scene.heads.get(node.name)
    if maker and head and head != node.name and scene.heads.get(maker.name) == head:
        return f"that would cut the kernel of '{head}' in two"
    return None


def _illegal_weight(scene: Scene, decision: Decision, node: Node, rule: OpRule | None) -> str | None:
    weight = next((w for w in rule.weights if w.input == decision.site.index), None) if rule else None
    if weight is None or decision.spec is None:
        return f"it is no weight that {node.op} reads as integers"
    cut, shape = decision.spec.granularity, scene.view.constants[decision.site.tensor].shape
    axis = weight.axis(scene, node)
    if isinstance(cut, PerTensor):
        return None
    if isinstance(cut, PerAxis) and axis is not None and cut.axis in (axis, axis - len(shape)):
        return None
    allowed = "per tensor" + ("" if axis is None else f" or along axis {axis}")
    return f"a weight of shape {shape} is cut {allowed} there, not as {decision.spec}"


def _check_operands(made: Plan, view: GraphView, target: Target) -> None:
    """A kernel reads all its operands as integers, or none."""
    read: dict[str, set[int]] = {}
    for decision in made.quantized:
        read.setdefault(decision.site.node, set()).add(decision.site.index)
    for name, indices in read.items():
        node = view.by_name[name]
        rule = target.rule(node)
        if rule is None or not rule.weights:
            continue
        if missing := set(rule.operands(node)) - indices:
            raise PlanError(
                f"The plan quantizes some operands of {node} but not input {min(missing)}; its kernel reads all as "
                "integers, or none. Quantize both, or set both to null."
            )


def refuse_quantized(view: GraphView) -> None:
    """Refuses a model that holds quantized operators.

    Raises:
        ModelError: it does; the message names one.
    """
    quantized = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}
    quantized |= {"ConvInteger", "MatMulInteger"}
    if found := [node for node in view.nodes if node.op in quantized or node.op.startswith("QLinear")]:
        raise ModelError(
            f"The model is quantized already: it has {len(found)} operators such as {found[0]}. "
            "Start from the FP32 model that it was made of."
        )


def check_not_empty(made: Plan) -> None:
    """Refuses a plan that quantizes nothing: a file that only looks quantized helps nobody.

    Raises:
        ModelError: it does; the message lists the commonest reasons.
    """
    if made.quantized:
        return
    counts = Counter(f"{decision.op}: {decision.kind}" for decision in made.first_refusals.values())
    listed = "".join(f"\n  {count} x {text}" for text, count in counts.most_common(5))
    raise ModelError(
        "Nothing in this model can be quantized, so there is nothing to write. Commonest reasons:"
        f"{listed or ' it has no nodes with float inputs.'}"
    )
