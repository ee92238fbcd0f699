"""A scikit-learn pipeline in INT8, without PyTorch and without a GPU.

A scaler and a small neural network learn handwritten digits, skl2onnx exports them, and onnxq quantizes its matrix
products from 200 training images. Run it from the repository with

    pip install . scikit-learn skl2onnx
    python examples/sklearn_pipeline.py

It writes `digits_mlp.int8.onnx` into the current folder.
"""

from __future__ import annotations

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxq

pixels, digits = load_digits(return_X_y=True)
pixels = pixels.astype(np.float32)
known, unseen, known_digits, unseen_digits = train_test_split(pixels, digits, random_state=0)

pipeline = make_pipeline(StandardScaler(), MLPClassifier((128, 64), max_iter=60, tol=1e-2, random_state=0))
pipeline.fit(known, known_digits)

# "zipmap" would return a list of dictionaries, which is no tensor that could be compared
model = to_onnx(pipeline, known[:1], options={"zipmap": False})
feed = model.graph.input[0].name

result = onnxq.quantize(
    model,
    {feed: known[:200]},
    evaluation={feed: unseen, "digit": unseen_digits},
)
onnxq.save(result.model, "digits_mlp.int8.onnx")

fidelity = result.report.fidelity
print(f"scikit-learn reads {pipeline.score(unseen, unseen_digits):.2%} of {len(unseen)} unseen images right")
for output, figures in fidelity.figures.items():
    print(f"INT8, output '{output}': {figures['top1']:.2f}% right, SQNR {figures['sqnr']:.1f} dB")
print("in INT8:", ", ".join(sorted({decision.site.node for decision in result.plan.quantized})))
for name, reason in {decision.site.node: decision.reason for decision in result.plan.refused}.items():
    print(f"in float: {name}, as {reason}")
