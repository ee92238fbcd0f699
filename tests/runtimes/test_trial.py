"""Engines are tried with a small model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxq.errors import RuntimeFailure
from onnxq.runtimes import onnxruntime, trial


def test_onnx_runtime_computes_it():
    said = trial.tried("onnxruntime")
    assert said.startswith("computes; providers: ")
    assert "CPUExecutionProvider" in said


def test_onnx_runtime_that_computes_something_else(monkeypatch):
    wrong = {"y": np.zeros((1, trial.CHANNELS, trial.SIZE, trial.SIZE), np.float32)}
    monkeypatch.setattr(onnxruntime.Session, "__call__", lambda session, feeds: wrong)
    with pytest.raises(RuntimeFailure, match=r"^ONNX Runtime computes a convolution in INT8 wrongly\.$"):
        trial.tried("onnxruntime")


@pytest.mark.tensorrt
def test_tensorrt_for_rtx_compiles_it():
    assert trial.tried("tensorrt-rtx").startswith("compiles: TensorRT for RTX ")


def test_the_model_is_a_valid_one():
    onnx.checker.check_model(trial._model(), full_check=True)
