"""Runs a model over data and writes its outputs: `evaluate.py MODEL.onnx DATA.npz OUT.npz [--batch N] [--feeds]`.

Graph optimizations stay at the basic level: higher ones replace Q/DQ with onnxruntime's own integer kernels. Models
with FP16 in them are computed in true half precision: each FP16 result is rounded to FP16.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from onnxq.pipeline.product import judged
from runners.task import read_feeds


def run(model: Path, data: Path, batch: int | None) -> dict[str, np.ndarray]:
    """Output name -> all samples, on the first axis; with `batch` None each row of `data` is a whole feed."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    content = judged(onnx.load(model)).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    with np.load(data) as archive:
        arrays = {name: archive[name] for name in archive.files}
    runs = [session.run(None, feed) for feed in read_feeds(arrays, batch)]
    join = np.stack if batch is None else np.concatenate
    return {output.name: join([run[place] for run in runs]) for place, output in enumerate(session.get_outputs())}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--feeds", action="store_true")
    asked = parser.parse_args()
    np.savez(asked.out, **run(asked.model, asked.data, None if asked.feeds else asked.batch_size))
