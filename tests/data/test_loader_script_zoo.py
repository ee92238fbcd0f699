"""A recurrent audio model, calibrated through a loader script that carries its state from frame to frame."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import onnxq

ZOO = os.environ.get("ONNXQ_ZOO", "")
pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not ZOO, reason="ONNXQ_ZOO is not set")]

SCRIPT = """
import numpy as np
import onnxruntime as ort

def load_data():
    session = ort.InferenceSession({model!r}, providers=["CPUExecutionProvider"])
    state, noise = np.zeros((2, 1, 128), np.float32), np.random.default_rng(0)
    for number in range(40):
        audio = noise.normal(0, 0.1, (1, 512)).astype(np.float32) * (number % 8)
        feed = {{"input": audio, "state": state, "sr": np.array(16000, np.int64)}}
        yield feed
        _, state = session.run(None, feed)
"""


def test_silero_through_a_loader_script(tmp_path):
    model = Path(ZOO) / "models" / "silero_vad_16k.onnx"
    script = tmp_path / "frames.py"
    script.write_text(SCRIPT.format(model=str(model)))
    statistics = onnxq.calibrate(str(model), script)
    assert statistics.samples == 40
    assert onnxq.calibrate(str(model), onnxq.Samples(script, first=10)).samples == 10
    result = onnxq.quantize(str(model), statistics)
    assert result.plan.quantized
