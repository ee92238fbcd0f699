"""NVIDIA ModelOpt, INT8, everything else in FP16; `--method` is its calibration method: max or entropy."""

from modelopt.onnx.quantization import quantize
from onnxruntime.quantization.calibrate import CalibrationDataReader
from task import Feed, Task, task_from_arguments


class Feeds(CalibrationDataReader):
    """Whole feeds, for models whose inputs have no common sample axis."""

    def __init__(self, task: Task) -> None:
        self.feeds = list(task.feeds())
        self.rewind()

    def get_next(self) -> Feed | None:
        return next(self.remaining, None)

    def get_first(self) -> Feed:
        return self.feeds[0]

    def rewind(self) -> None:
        self.remaining = iter(self.feeds)


if __name__ == "__main__":
    task = task_from_arguments()
    data = {"calibration_data_reader": Feeds(task)} if task.whole_feeds else {"calibration_data": task.arrays()}
    quantize(
        str(task.source),
        quantize_mode="int8",
        calibration_method=task.method,
        calibration_eps=["cpu"],
        high_precision_dtype="fp16",
        output_path=str(task.target),
        **data,
    )
