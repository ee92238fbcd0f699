"""A detector that is quantized as far as a metric of its own allows.

The digits model that comes with onnxq becomes a detector: without the pooling over the whole image it reads a scene
cell by cell, and says for each cell which digit is there and how sure it is. What counts is not SQNR but whether the
INT8 model finds what FP32 finds, so `found_again` measures that, and `quantize_within` keeps it above 99 %. Run it from
the repository with

    pip install '.[search]'
    python examples/detection_own_metric.py

It writes `detector.int8.onnx` into the current folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxq

MODELS = Path(__file__).parents[1] / "models"
CELL, CELLS, SURE = 8, 4, 0.9


def detector() -> onnx.ModelProto:
    """The classifier as a detector: `scene` (N, 1, 32, 32) to `scores` (N, 10, 4, 4)."""
    model = onnx.load(MODELS / "digits_resnet.onnx")
    graph = model.graph
    weight = next(numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == "head.weight")
    graph.initializer.append(numpy_helper.from_array(weight[:, :, None, None], "head.kernel"))
    features, side = graph.node[-4].output[0], CELL // 4  # two of the blocks halve the sides
    del graph.node[-3:], graph.output[:]
    graph.node.extend(
        [
            helper.make_node("AveragePool", [features], ["cells"], "pool", kernel_shape=[side] * 2, strides=[side] * 2),
            helper.make_node("Conv", ["cells", "head.kernel", "head.bias"], ["logits"], "head"),
            helper.make_node("Softmax", ["logits"], ["scores"], "decode", axis=1),
        ]
    )
    for dimension in graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = CELL * CELLS
    graph.output.append(helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", 10, CELLS, CELLS]))
    del graph.value_info[:]
    return model


def scenes(file: str, count: int) -> np.ndarray:
    """(count, 1, 32, 32): real digits, one in each cell."""
    digits = np.load(MODELS / file)["image"]
    chosen = digits[np.random.default_rng(0).integers(len(digits), size=(count, CELLS, CELLS))]
    return chosen.transpose(0, 3, 1, 4, 2, 5).reshape(count, 1, CELL * CELLS, CELL * CELLS)


def found_again(outputs, fp32, labels):
    """How far detections, digits that a model is sure of, are those of FP32: intersection over union, (scenes,)."""
    ours, theirs = (
        (scores > SURE) & (scores == scores.max(axis=1, keepdims=True))
        for scores in (outputs["scores"], fp32["scores"])
    )
    both, either = (ours & theirs).sum(axis=(1, 2, 3)), (ours | theirs).sum(axis=(1, 2, 3))
    return both / np.maximum(either, 1)


def main() -> None:
    """Ranks the kernels of the detector by what they lose, then quantizes as many as the metric allows."""
    model, calib, unseen = (
        detector(),
        {"image": scenes("digits_calib.npz", 64)},
        {"image": scenes("digits_eval.npz", 200)},
    )
    metric = f"{__file__}:{found_again.__name__}"

    ranking = onnxq.rank(model, calib, inquiry=onnxq.Inquiry(metrics=[metric]), evaluation=unseen)
    print(f"quantized alone, '{ranking.ranks[0].group.name}' loses most")

    result, outcome = onnxq.quantize_within(onnxq.Budget(metric, drop=0.01), model, calib, evaluation=unseen)
    onnxq.save(result.model, "detector.int8.onnx")
    for name, point in (("all in INT8", outcome.plain), ("within the budget", outcome.reached)):
        print(f"{name}: {point.figure:.2%} found again, {point.share:.0%} of the compute in INT8")
    print("in float:", ", ".join(sorted(outcome.reached.choice.floats)) or "nothing more")


if __name__ == "__main__":
    main()
