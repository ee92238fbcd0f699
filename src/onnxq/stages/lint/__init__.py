"""Holds any Q/DQ model against what is known of a target, without running or compiling it."""

from onnxq.core.finding import Finding
from onnxq.core.graph import GraphView
from onnxq.core.target import Target
from onnxq.stages.lint.floats import FLOATS
from onnxq.stages.lint.fusion import FUSION
from onnxq.stages.lint.pairs import PAIRS
from onnxq.stages.lint.reading import Place, Placement, Reading
from onnxq.stages.lint.refusals import REFUSALS, is_integer_operator
from onnxq.stages.lint.rule import Rule
from onnxq.stages.lint.scales import SCALES
from onnxq.stages.lint.weights import WEIGHTS

__all__ = ["RULES", "Placement", "Rule", "lint"]

RULES: tuple[Rule, ...] = (*REFUSALS, *SCALES, *WEIGHTS, *PAIRS, *FUSION, *FLOATS)


def lint(view: GraphView, target: Target, opset: int, place: Place) -> tuple[Finding, ...]:
    """What breaks a rule, in the order of RULES.

    Args:
        view: of any model, with node names as in the file.
        target: the table to hold it against.
        opset: of ai.onnx, as the model imports it.
        place: interprets that table for a graph without Q/DQ; the rules compare.
    """
    reading = Reading(view, target, opset, place)
    if not reading.quantizers and not reading.dequantizers and not any(map(is_integer_operator, view.nodes)):
        return (NOTHING_QUANTIZED,)
    return tuple(finding for rule in RULES for finding in rule.findings(reading))


NOTHING_QUANTIZED = Finding(
    severity="warning",
    rule="no-qdq",
    node="",
    text="A model for INT8 has Q/DQ: this one has none, and runs in float",
    fix="Quantize it: onnxq quantize.",
    source="TensorRT guide, explicit quantization",
)
