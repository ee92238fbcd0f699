"""What to do about what TensorRT refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """What a refusal says, and what to do about it; `linted` if `onnxq lint` finds all such places."""

    says: str
    fix: str
    linted: bool = True


HINTS: Sequence[Hint] = (
    Hint("not an initializer", "make scales and zero points constants"),
    Hint("zero point", "TensorRT quantizes symmetrically: give zero points of 0"),
    Hint("zero_point", "TensorRT quantizes symmetrically: give zero points of 0"),
    Hint("must all be positive", "give dead channels a small positive scale"),
    Hint("number of scales", "give one scale for each output channel, along the axis of these"),
    Hint("type Int32 but must", "leave the bias in float"),
    Hint("UINT8", "store activations and weights as int8"),
    Hint("import initializer", "store integers as int8, int32 or int64"),
    Hint("Quantized constant", "let a DequantizeLinear read the int8 weight, and nothing else"),
    Hint(
        "must be of same type", "give Q/DQ pairs scales of the type that the rest of the model has, or cast an operand"
    ),
    Hint("QLinear", "write QuantizeLinear and DequantizeLinear around the float operator"),
    Hint("Integer '", "write QuantizeLinear and DequantizeLinear around the float operator"),
    Hint("DynamicQuantize", "write QuantizeLinear with a constant scale"),
    Hint("lugin not found", "load the library that has it with --plugins", linted=False),
    Hint("workspace limit", "give a larger --workspace", linted=False),
    Hint("CUDA driver version", "compile for a GPU elsewhere, with --compute-capability 8.9 or another", linted=False),
)
"""The first that fits is told."""


def advised(refusal: str) -> str:
    """The refusal, and behind it what to do, if that is known."""
    for hint in HINTS:
        if hint.says in refusal:
            places = "; `onnxq lint` names every such place" if hint.linted else ""
            return f"{refusal.rstrip('.')}. Fix: {hint.fix}{places}."
    return refusal
