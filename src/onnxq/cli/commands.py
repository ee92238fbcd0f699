"""The commands, and what can be said of each without importing it."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command; its module is called as it is.

    Attributes:
        name: as it is typed.
        text: what it does.
        example: a call.
        then: how the sentence that begins with the example goes on.
    """

    name: str
    text: str
    example: str
    then: str = ""


class Group(NamedTuple):
    """Commands that one looks for at the same time."""

    title: str
    commands: tuple[Command, ...]


GROUPS = (
    Group(
        "quantize",
        (
            Command(
                "quantize",
                "quantize a model",
                "onnxq quantize model.onnx model.int8.onnx --calib inputs.npz --eval heldout.npz",
            ),
            Command(
                "recipe",
                "write a recipe to begin with: every key explained, and what in the model often needs a decision",
                "onnxq recipe --init model.onnx recipe.yaml",
                ", edit it, then onnxq quantize ... --recipe recipe.yaml",
            ),
            Command(
                "plan",
                "show where Q/DQ would go, and why",
                "onnxq plan model.onnx --json > plan.json",
                ", edit it, then onnxq quantize ... --plan plan.json",
            ),
            Command(
                "calibrate",
                "measure a model's activations once, for any calibrator",
                "onnxq calibrate model.onnx stats.npz --calib inputs.npz",
                ", then onnxq quantize ... --stats stats.npz",
            ),
            Command(
                "merge",
                "put statistics of several calibrations together, as if all had been one",
                "onnxq merge monday.npz tuesday.npz -o both.npz",
            ),
        ),
    ),
    Group(
        "measure",
        (
            Command(
                "compare",
                "compare a quantized model with FP32, at its outputs or tensor by tensor",
                "onnxq compare model.onnx model.int8.onnx --data inputs.npz --layers",
            ),
            Command(
                "sensitivity",
                "rank the groups of nodes that are quantized by what that costs",
                "onnxq sensitivity model.onnx --calib inputs.npz --eval heldout.npz --out ranking.svg ranking.csv",
            ),
        ),
    ),
    Group(
        "look",
        (
            Command(
                "report",
                "show a quantization as one HTML page, from saved plan, statistics and ranking",
                "onnxq report model.onnx report.html --stats stats.npz --eval heldout.npz --sensitivity ranking.json",
            ),
            Command(
                "lint",
                "check a Q/DQ model of any tool for what the target refuses or runs slowly",
                "onnxq lint model.int8.onnx --strict",
                "; the exit code is 1 if there are errors (with --strict, or warnings), 2 if the model cannot be read, "
                "else 0",
            ),
            Command(
                "inspect",
                "show layer by layer what TensorRT makes of a model, or what an engine runs",
                "onnxq inspect model.int8.onnx",
                " compiles with TensorRT for RTX, which needs no GPU",
            ),
        ),
    ),
    Group(
        "hand over",
        (
            Command(
                "build",
                "build a TensorRT engine",
                "onnxq build model.int8.onnx model.engine --shapes image:1x3x32x32:8x3x32x32:32x3x32x32",
            ),
        ),
    ),
    Group(
        "set up",
        (
            Command(
                "doctor",
                "tell what is installed, which engines answer, and whether all of it works",
                "onnxq doctor",
                "; the exit code is 1 if something that is installed does not work, else 0",
            ),
            Command(
                "completion",
                "print a script that completes commands, options and their values in a shell",
                "onnxq completion bash > ~/.local/share/bash-completion/completions/onnxq",
                "; for zsh to a file _onnxq in $fpath, for fish to ~/.config/fish/completions/onnxq.fish",
            ),
        ),
    ),
)
"""In the order in which `onnxq --help` tells them."""
