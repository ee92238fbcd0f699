"""Qualcomm AIMET in the formats that TensorRT has: INT8, symmetric, weights per channel; `--method adaround` or ""."""

import json
from pathlib import Path

import onnx
from aimet_onnx import QuantizationSimModel, apply_adaround, int8
from aimet_onnx.common import quantsim_config
from task import task_from_arguments

BATCH = 32
ITERATIONS = 1000
"""Steps per layer, as many as Quark takes; AIMET advises ten times as many, which is hours on two cores."""


def symmetric(folder: Path) -> Path:
    """AIMET's default configuration for weights per channel, with symmetric activations."""
    asked = json.loads(Path(quantsim_config.__path__[0], "default_config_per_channel.json").read_text())
    asked["defaults"]["ops"]["is_symmetric"] = "True"
    path = folder / "symmetric.json"
    path.write_text(json.dumps(asked))
    return path


if __name__ == "__main__":
    task = task_from_arguments()
    feeds = list(task.feeds(BATCH))
    sim = QuantizationSimModel(
        onnx.load(task.source),
        param_type=int8,
        activation_type=int8,
        quant_scheme="tf_enhanced",
        config_file=str(symmetric(task.target.parent)),
        dummy_input=feeds[0],
    )
    if task.method == "adaround":
        apply_adaround(sim, feeds, ITERATIONS)
    sim.compute_encodings(feeds)
    onnx.save(sim.to_onnx_qdq(prequantize_constants=True, force_activation_as="signed"), task.target)
