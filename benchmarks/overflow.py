"""What becomes of activations that FP16 cannot hold: onnxq beside ModelOpt, both with INT8 and an FP16 rest.

A small net whose activations reach 1e5 is quantized by both, and what they wrote is computed in true half precision:
every FP16 result is rounded to FP16, as a GPU stores it. Prints one line per tool.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

import onnxq
from onnxq.pipeline.product import judged

MODELOPT = """
import sys
import numpy as np
from modelopt.onnx.quantization import quantize
data = dict(np.load(sys.argv[2]))
options = dict(quantize_mode="int8", calibration_method="max", calibration_eps=["cpu"])
quantize(sys.argv[1], calibration_data=data, high_precision_dtype="fp16", output_path=sys.argv[3], **options)
"""


def net(peak: float) -> onnx.ModelProto:
    """Conv, Relu, a gain up to `peak`, Conv that takes it back, Relu, Conv."""
    rng = np.random.default_rng(0)
    arrays = {f"w{i}": rng.normal(0, 0.2, (16, 16, 3, 3)).astype(np.float32) for i in range(3)}
    arrays["w1"] /= np.float32(peak)
    arrays["gain"] = np.float32(peak / 4)
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "conv0", **pads),
        helper.make_node("Relu", ["a"], ["b"], "relu0"),
        helper.make_node("Mul", ["b", "gain"], ["c"], "gained"),
        helper.make_node("Conv", ["c", "w1"], ["d"], "conv1", **pads),
        helper.make_node("Relu", ["d"], ["e"], "relu1"),
        helper.make_node("Conv", ["e", "w2"], ["y"], "conv2", **pads),
    ]
    values = [helper.make_tensor_value_info(name, 1, ("n", 16, 16, 16)) for name in ("x", "y")]
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def outputs(model: onnx.ModelProto, data: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return np.asarray(ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": data})[0])


def line(tool: str, reference: np.ndarray, found: np.ndarray) -> str:
    if not np.isfinite(found).all():
        return f"| {tool} | breaks: {100 * np.mean(~np.isfinite(found)):.0f} % of the outputs are NaN or Inf |"
    noise = np.sum((reference.astype(np.float64) - found) ** 2)
    return f"| {tool} | {10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / noise):.1f} dB |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modelopt-python", default=sys.executable, metavar="PATH")
    parser.add_argument("--peak", type=float, default=1e5)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(1)
    calib, held_out = (rng.normal(size=(64, 16, 16, 16)).astype(np.float32) for _ in range(2))
    model = net(options.peak)
    reference = outputs(model, held_out)
    print("| tool | SQNR in true half precision |\n| --- | --- |")
    for rest in ("fp32", "fp16"):
        made = onnxq.quantize(model, {"x": calib}, onnxq.Recipe(rest=rest))
        print(line(f"onnxq --rest {rest}", reference, outputs(judged(made.model), held_out)))
    with tempfile.TemporaryDirectory() as folder:
        source, data, target = (str(Path(folder, name)) for name in ("net.onnx", "calib.npz", "out.onnx"))
        onnx.save(model, source)
        np.savez(data, x=calib)
        command = [options.modelopt_python, "-c", MODELOPT, source, data, target]
        subprocess.run(command, check=True, capture_output=True)
        print(line("ModelOpt, fp16", reference, outputs(judged(onnx.load(target)), held_out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
