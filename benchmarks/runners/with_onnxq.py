"""onnxq as a library, for models whose inputs have no common sample axis; elsewhere its command line is run."""

from task import recipe_of, task_from_arguments

import onnxq

if __name__ == "__main__":
    task = task_from_arguments()
    chosen = recipe_of(task.method)
    if "percentile" in chosen:
        chosen["percentile"] = float(chosen["percentile"])
    if "fixes" in chosen and chosen["fixes"] != "auto":
        chosen["fixes"] = (chosen["fixes"],)
    result = onnxq.quantize(task.source, list(task.feeds()), onnxq.Recipe(**chosen))
    onnxq.save(result.model, task.target)
    onnxq.save_recipe(result.recipe, task.recipe)
