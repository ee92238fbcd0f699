"""onnxq as a library, for models whose inputs have no common sample axis; elsewhere its command line is run."""

import onnx
from task import task_from_arguments

import onnxq

if __name__ == "__main__":
    task = task_from_arguments()
    options = {"calibrator": task.method} if task.method else {}
    onnx.save(onnxq.quantize(task.source, calib=task.feeds(), **options).model, task.target)
