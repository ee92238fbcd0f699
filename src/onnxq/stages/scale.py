"""Turns measured ranges into scales: activations from Statistics, weights from the constants themselves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format
from onnxq.core.graph import GraphView, Site
from onnxq.core.plan import Plan
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.statistics import Statistics, TensorStatistics

DEAD = 1.0
"""The scale of values that were all zero: any would do, and this one can neither overflow nor underflow."""

FLOOR = float(np.finfo(np.float32).tiny)
"""The smallest scale: the engine divides by it, and must not get Inf."""


def scale(
    plan: Plan,
    view: GraphView,
    statistics: Statistics,
    formats: Mapping[str, Format],
    calibrators: tuple[Calibrator, Calibrator],
) -> Scales:
    """The scales of everything the plan quantizes.

    Args:
        plan: what is quantized.
        view: has the weights.
        statistics: of every activation that is quantized.
        formats: by name.
        calibrators: of activations, and of weights.
    """
    for_activations, for_weights = calibrators
    specs = {d.site.tensor: d.spec for d in plan.quantized if d.spec and d.spec.role == "activation"}
    activations = {
        tensor: activation_params(statistics.tensors[tensor], spec, formats, for_activations)
        for tensor, spec in specs.items()
    }
    for group in plan.ties:
        members = [tensor for tensor in group if tensor in specs]
        if len(members) < 2:
            continue
        together = reduce(TensorStatistics.merge, (statistics.tensors[tensor] for tensor in members))
        for tensor in members:
            others = ", ".join(f"'{other}'" for other in members if other != tensor)
            shared = activation_params(together, specs[tensor], formats, for_activations)
            activations[tensor] = QuantParams(
                shared.scale, shared.spec, f"{for_activations.name}, shared with {others}", shared.floored
            )
    weights = {site: weight_params(site, view, spec, formats, for_weights) for site, spec in plan.weights}
    return Scales({tensor: activations[tensor] for tensor in specs}, weights)


def activation_params(
    measured: TensorStatistics, spec: Spec, formats: Mapping[str, Format], calibrator: Calibrator
) -> QuantParams:
    """The parameters of an activation, one scale for the whole tensor."""
    stored = formats[spec.format]
    return _params([stored.scale(calibrator.choose(measured, stored))], (), spec, calibrator.name)


def weight_params(
    site: Site, view: GraphView, spec: Spec, formats: Mapping[str, Format], calibrator: Calibrator
) -> QuantParams:
    """The parameters of a weight, one scale per tensor or per slice along an axis."""
    weight, stored = view.constants[site.tensor], formats[spec.format]
    cut = spec.granularity
    slices = list(np.moveaxis(weight, cut.axis, 0)) if isinstance(cut, PerAxis) else [weight]
    measure = TensorStatistics.empty().observe if calibrator.reads_histogram else TensorStatistics.extremes
    found = [stored.scale(calibrator.choose(measure(part), stored)) for part in slices]
    shape = (len(slices),) if isinstance(cut, PerAxis) else ()
    return _params(found, shape, spec, f"weight, {calibrator.name}")


def _params(found: list[float], shape: tuple[int, ...], spec: Spec, source: str) -> QuantParams:
    """Scales in float32, floored where there was nothing to scale."""
    raw = np.array(found, np.float64)
    scales = np.where(raw > 0.0, np.maximum(raw, FLOOR), DEAD).astype(np.float32)
    return QuantParams(scales.reshape(shape), spec, source, floored=int(np.sum(raw < FLOOR)))
