"""Every error that onnxq raises on purpose.

OnnxqError
├── InputError             the user's mistake: the command line exits with 2
│   ├── ModelError         a file that is no ONNX model, or a model that cannot be quantized
│   ├── DataError          calibration or evaluation data that do not fit the model
│   ├── RecipeError        an option that names nothing, or a selector that matches nothing
│   ├── BudgetError        what a quantized model may lose cannot be kept
│   ├── PlanError          a plan that contradicts itself or belongs to another model
│   └── OutputError        a path that cannot be written
└── StageError             onnxq or a runtime failed: the command line exits with 1
    ├── PrepareError       a prepared model no longer computes what the original did
    ├── RuntimeFailure     an inference or compiler runtime gave up
    └── VerifyError        a written model breaks a promise

Every message names the thing, the value and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class OnnxqError(Exception):
    """Anything onnxq raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(OnnxqError):
    """The user's mistake: nothing was written and a changed command helps."""

    exit_code: ClassVar[int] = 2


class ModelError(InputError):
    """The file is no ONNX model, or the model cannot be quantized."""


class DataError(InputError):
    """Calibration or evaluation data are missing or do not fit the model."""


class RecipeError(InputError):
    """An option has no such value, or a selector matches nothing."""


class BudgetError(InputError):
    """No way to quantize the model keeps what was asked for."""


class PlanError(InputError):
    """The plan contradicts itself or does not belong to this model."""


class OutputError(InputError):
    """The output path cannot be written."""


class StageError(OnnxqError):
    """A stage or a runtime failed on input that looked right."""


class PrepareError(StageError):
    """The prepared model no longer computes what the original did."""


class RuntimeFailure(StageError):
    """An inference or compiler runtime gave up on the model."""


class VerifyError(StageError):
    """The written model breaks one of the promises listed in stages/verify."""


def near_misses(name: str, known: Iterable[str]) -> str:
    """``"Did you mean 'a', 'b'?"`` for the names closest to `name`, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {', '.join(repr(c) for c in close)}?" if close else ""
