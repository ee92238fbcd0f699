"""onnxruntime.quantization, static, Q/DQ, INT8 symmetric for activations and weights, weights per channel.

`--method` is minmax or entropy; `tensorrt` is minmax with the options that onnxruntime's documentation gives for
TensorRT: float biases and Q/DQ pairs on weights. Models are pre-processed first, as that documentation advises:
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process
from task import Feed, Task, task_from_arguments

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "tensorrt": CalibrationMethod.MinMax,
}
BATCH = 32


class Feeds(CalibrationDataReader):
    def __init__(self, task: Task) -> None:
        self.remaining = task.feeds(BATCH)

    def get_next(self) -> Feed | None:
        return next(self.remaining, None)


if __name__ == "__main__":
    task = task_from_arguments()
    options = {"ActivationSymmetric": True, "WeightSymmetric": True}
    if task.method == "tensorrt":
        options |= {"QuantizeBias": False, "AddQDQPairToWeight": True}
    prepared = task.source.with_suffix(".prepared.onnx")
    quant_pre_process(str(task.source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(task.target),
        Feeds(task),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        calibrate_method=METHODS[task.method],
        extra_options=options,
    )
