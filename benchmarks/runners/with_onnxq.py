"""onnxq as a library, for models whose inputs have no common sample axis; elsewhere its command line is run."""

from task import recipe_of, task_from_arguments

import onnxq

if __name__ == "__main__":
    task = task_from_arguments()
    chosen = recipe_of(task.method)
    if "percentile" in chosen:
        chosen["percentile"] = float(chosen["percentile"])
    onnxq.save(onnxq.quantize(task.source, task.feeds(), onnxq.Recipe(**chosen)).model, task.target)
