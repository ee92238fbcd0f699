"""onnxruntime.quantization, static, Q/DQ, INT8 symmetric for activations and weights, weights per channel.

`--method` is minmax or entropy; `tensorrt` is minmax with the options that onnxruntime's documentation gives for
TensorRT: float biases and Q/DQ pairs on weights; `uint8` is what it quantizes to by itself, for its own CPU kernels:
minmax, UINT8 activations with zero points. Models are pre-processed first, as that documentation advises:
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
For `uint8` old models are brought up to date beforehand: onnx converts them to opset 13, since Q/DQ per channel does
not exist below, and weights are no longer listed as inputs, since no BatchNormalization is folded into such.
"""

from pathlib import Path

import onnx
import onnx.version_converter
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process
from task import Feed, Task, task_from_arguments

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "tensorrt": CalibrationMethod.MinMax,
    "uint8": CalibrationMethod.MinMax,
}
BATCH = 32
PER_CHANNEL_OPSET = 13


class Feeds(CalibrationDataReader):
    def __init__(self, task: Task) -> None:
        self.remaining = task.feeds(BATCH)

    def get_next(self) -> Feed | None:
        return next(self.remaining, None)


def update(path: Path) -> None:
    """Brings an old model up to date, in place."""
    model = onnx.load(path)
    if any(opset.domain == "" and opset.version < PER_CHANNEL_OPSET for opset in model.opset_import):
        model = onnx.version_converter.convert_version(model, PER_CHANNEL_OPSET)
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)  # below, weights must be inputs
    onnx.save(model, path)


if __name__ == "__main__":
    task = task_from_arguments()
    options = {"ActivationSymmetric": True, "WeightSymmetric": True}
    if task.method == "tensorrt":
        options |= {"QuantizeBias": False, "AddQDQPairToWeight": True}
    own = task.method == "uint8"
    if own:
        update(task.source)
    prepared = task.source.with_suffix(".prepared.onnx")
    quant_pre_process(str(task.source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(task.target),
        Feeds(task),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8 if own else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        calibrate_method=METHODS[task.method],
        extra_options={} if own else options,
    )
