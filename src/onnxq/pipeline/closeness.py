"""How close a model is to FP32 as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxq.catalog.metrics import METRICS
from onnxq.core.execution import Execution
from onnxq.core.metric import OwnMetric
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.errors import DataError
from onnxq.pipeline.product import Product, produce
from onnxq.pipeline.scaling import Scaled
from onnxq.runtimes import onnxruntime
from onnxq.runtimes.setup import Setup
from onnxq.stages.verify import fidelity


def product_of(found: Scaled, recipe: Recipe) -> Product:
    """What is written of a model, and what tells how good it is."""
    return produce(found.subject, found.plan, found.scales, found.statistics, recipe)


def closeness_of(
    found: Scaled,
    product: Product,
    recipe: Recipe,
    execution: Execution,
    own: Sequence[OwnMetric] = (),
    most: int | None = None,
) -> Fidelity | None:
    """How close it is on the evaluation data, else on some calibration samples; None if there are no samples.

    Args:
        found: the model.
        product: what is written of it.
        recipe: says how.
        execution: how models are run.
        own: metrics of the caller's.
        most: samples at the most; None for all evaluation data.

    Raises:
        DataError: the labels fit no output.
    """
    batches = found.ready.sources.checks(recipe.seed, execution.observer, most)
    if batches is None:
        return None
    setup = Setup.of(execution)
    original = onnxruntime.Session(found.ready.given, setup=setup)
    judged = onnxruntime.Session(product.judged, setup=replace(setup, as_written=True))
    close = fidelity(original, judged, batches, METRICS, own)
    if recipe.labels and not close.baselines:
        raise DataError(f"The labels '{recipe.labels}' fit no output: none has a score per sample for each class.")
    return close
