"""onnxq as a library, for models whose inputs have no common sample axis; elsewhere its command line is run."""

from task import task_from_arguments

import onnxq

if __name__ == "__main__":
    task = task_from_arguments()
    calibrator, _, percentile = task.method.partition("-")
    chosen = {"calibrator": calibrator} if calibrator else {}
    chosen |= {"percentile": float(percentile)} if percentile else {}
    onnxq.save(onnxq.quantize(task.source, task.feeds(), onnxq.Recipe(**chosen)).model, task.target)
