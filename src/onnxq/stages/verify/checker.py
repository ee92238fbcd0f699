"""Asks onnx's own checker."""

from __future__ import annotations

import onnx
from google.protobuf.message import EncodeError

from onnxq.errors import VerifyError

LARGEST = 2**31 - 2**20
"""Bytes that the checker can be handed."""


def check_model(written: onnx.ModelProto, beside: onnx.ModelProto) -> None:
    """Checks `written` with onnx.checker, in full where the original passes that.

    Raises:
        VerifyError: the checker refuses it, although it accepts the original.
    """
    for full in (True, False):
        if _complaint(beside, full) is None:
            if complaint := _complaint(written, full):
                raise VerifyError(f"onnx.checker refuses the written model. This is a bug in onnxq. {complaint}")
            return


def _complaint(model: onnx.ModelProto, full: bool) -> str | None:
    try:
        if model.ByteSize() > LARGEST:
            return "too large for the checker"
        onnx.checker.check_model(model, full_check=full)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, EncodeError, ValueError) as cause:
        return str(cause)
    return None
