"""Turns ranges into scales: activations from known scales or Statistics, weights from the constants themselves."""

from __future__ import annotations

from collections.abc import Mapping

from onnxq.catalog.calibrators import calibrator_of
from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format
from onnxq.core.graph import GraphView
from onnxq.core.known_scales import NOTHING_KNOWN, KnownScales
from onnxq.core.plan import Plan
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics
from onnxq.stages.scale.activations import activation_params, lacking
from onnxq.stages.scale.floors import DEAD, FLOOR
from onnxq.stages.scale.weights import weight_params

__all__ = ["DEAD", "FLOOR", "activation_params", "lacking", "scale"]


def scale(
    plan: Plan,
    view: GraphView,
    statistics: Statistics,
    formats: Mapping[str, Format],
    calibrators: tuple[Calibrator, Calibrator],
    known: KnownScales = NOTHING_KNOWN,
) -> Scales:
    """The scales of everything the plan quantizes.

    Args:
        plan: what is quantized.
        view: has the weights.
        statistics: of at least the activations that `lacking` names.
        formats: by name.
        calibrators: of activations, and of weights, where the plan names no other.
        known: scales of activations that are taken as they are.

    Raises:
        DataError: an activation has neither a known scale nor statistics.
    """
    for_activations, for_weights = calibrators
    activations = activation_params(plan, statistics, formats, for_activations, known)
    weights = {
        d.site: weight_params(
            d.site, view, d.spec, formats, calibrator_of(d.calibrator) if d.calibrator else for_weights
        )
        for d in plan.quantized
        if d.spec and d.spec.role == "weight"
    }
    return Scales(activations, weights)
