"""AMD Quark with its A8W8 configuration: INT8 symmetric activations and weights; `--method adaround` for AdaRound."""

from onnxruntime.quantization.calibrate import CalibrationDataReader
from quark.onnx import ModelQuantizer, QConfig
from task import Feed, Task, task_from_arguments

BATCH = 32


class Feeds(CalibrationDataReader):
    def __init__(self, task: Task) -> None:
        self.task = task
        self.reset_iter()

    def get_next(self) -> Feed | None:
        return next(self.remaining, None)

    def reset_iter(self) -> None:
        self.remaining = self.task.feeds(BATCH)


if __name__ == "__main__":
    task = task_from_arguments()
    quantizer = ModelQuantizer(QConfig.get_default_config("A8W8_ADAROUND" if task.method == "adaround" else "A8W8"))
    quantizer.quantize_model(str(task.source), str(task.target), Feeds(task))
