"""What every pass of this stage is given, and what the stage gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from onnxq.core.normal import Normal

NORMAL = "onnxq.normal"
"""The key in `ir.Value.meta`, which is not written, of what is known of the distribution of a value."""

Evaluate = Callable[[onnx.ModelProto], Mapping[str, np.ndarray]]
"""Runs a model that has no inputs and returns its outputs by name; raises RuntimeFailure where it cannot."""


@dataclass(frozen=True)
class Context:
    """What a pass may need besides the model."""

    evaluate: Evaluate
    opset: int


@dataclass(frozen=True)
class Pass:
    """A rewrite of the model in place that leaves what it computes as it was.

    `run` returns how many places it changed; `text` says in one sentence what happened to them.
    """

    name: str
    text: str
    run: Callable[[ir.Model, Context], int]


@dataclass(frozen=True)
class Note:
    """What a pass did, or what the stage left alone, for the summary."""

    name: str
    count: int
    text: str


@dataclass(frozen=True)
class Prepared:
    """The prepared model.

    Attributes:
        model: it.
        changed: a note for each pass that changed something.
        intact: a note for each thing left as it was.
        normals: by tensor how the numbers are distributed that a BatchNormalization made, folded or not.
    """

    model: onnx.ModelProto
    changed: tuple[Note, ...]
    intact: tuple[Note, ...]
    normals: Mapping[str, Normal]
