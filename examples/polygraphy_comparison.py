"""Compares FP32 and INT8 with NVIDIA's Polygraphy, from Python.

Both models run in ONNX Runtime on the same images, and Polygraphy compares what comes out, with its own tolerances. On
a machine with a GPU a third runner, `TrtRunner`, joins the same list. Run it from the repository with

    pip install '.[polygraphy]'
    python examples/polygraphy_comparison.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx
from polygraphy.comparator import Comparator, SimpleCompareFunc
from polygraphy.logger import G_LOGGER

import onnxq

MODELS = Path(__file__).parents[1] / "models"
G_LOGGER.module_severity = {"": G_LOGGER.WARNING}
onnxruntime.set_default_logger_severity(3)  # that a CPU has no FP16 kernels is known

result = onnxq.quantize(MODELS / "digits_resnet.onnx", MODELS / "digits_calib.npz")
fp32, int8 = (MODELS / "digits_resnet.onnx").read_bytes(), result.model.SerializeToString()

images = np.load(MODELS / "digits_eval.npz")["image"]
feeds = [{"image": images[start : start + 50]} for start in range(0, 500, 50)]
runners = [OnnxrtRunner(SessionFromOnnx(model), name=name) for name, model in (("FP32", fp32), ("INT8", int8))]

outputs = Comparator.run(runners, data_loader=feeds)
close = Comparator.compare_accuracy(outputs, compare_func=SimpleCompareFunc(atol=1.0, check_error_stat="max"))
print("no logit of 500 images is 1.0 apart:", bool(close))

spread = [np.abs(batch["logits"]).max() for batch in outputs["FP32"]]
print(f"(the largest logit is {max(spread):.1f})")
