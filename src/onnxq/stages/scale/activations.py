"""The scales of activations: known ones first, then those that a calibrator chooses.

Tensors that share a scale take the largest that is known of any of them, so that none is clipped where its own known
scale would not have clipped it. Those of them without a known scale go along unmeasured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from onnxq.catalog.calibrators import calibrator_of
from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format, Range
from onnxq.core.known_scales import KnownScales
from onnxq.core.plan import Plan
from onnxq.core.scales import QuantParams
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import DataError
from onnxq.stages.scale.floors import floored_params

_SHOWN = 5


def lacking(plan: Plan, known: KnownScales) -> tuple[str, ...]:
    """The quantized activations that `known` leaves open, in the order of the plan: those that must be measured."""
    needed = {tensor for group in plan.sharing.values() if known.largest(group) is None for tensor in group}
    return tuple(tensor for tensor in plan.activations if tensor in needed)


def activation_params(
    plan: Plan, statistics: Statistics, formats: Mapping[str, Format], calibrator: Calibrator, known: KnownScales
) -> Mapping[str, QuantParams]:
    """The parameters of each quantized activation, in the order of the plan.

    Args:
        plan: what is quantized; its decisions may name calibrators of their own.
        statistics: of at least the activations that `lacking` names.
        formats: by name.
        calibrator: of all other activations.
        known: scales that are taken as they are.

    Raises:
        DataError: an activation has neither a known scale nor statistics.
    """
    _refuse_unmeasured(plan, statistics, known)
    groups = plan.sharing
    measured = {
        group: reduce(TensorStatistics.merge, (_without_channels(statistics.tensors[tensor]) for tensor in group))
        for group in dict.fromkeys(groups.values())
        if known.largest(group) is None
    }
    params: dict[str, QuantParams] = {}
    for decision in plan.quantized:
        tensor, spec = decision.site.tensor, decision.spec
        if spec is None or spec.role == "weight" or tensor in params:
            continue
        chooser = calibrator_of(decision.calibrator) if decision.calibrator else calibrator
        group, stored = groups[tensor], formats[spec.format]
        given = known.largest(group)
        covered = Range(0.0, 0.0) if given is not None else chooser.choose(measured[group], stored)
        found = stored.scale(covered) if given is None else float(given)
        source = (decision.calibrator or calibrator.name) if given is None else known.source
        others = ", ".join(f"'{other}'" for other in group if other != tensor)
        made = floored_params([found], (), spec, f"{source}, shared with {others}" if others else source)
        params[tensor] = replace(made, zero_point=stored.zero_point(covered), known=given is not None)
    return params


def _without_channels(measured: TensorStatistics) -> TensorStatistics:
    """Tensors that share a scale need not have the same channels, and their scale is one for all."""
    return replace(measured, channels=np.zeros((2, 0)))


def _refuse_unmeasured(plan: Plan, statistics: Statistics, known: KnownScales) -> None:
    missing = [tensor for tensor in lacking(plan, known) if tensor not in statistics.tensors]
    if missing:
        names = ", ".join(f"'{tensor}'" for tensor in missing[:_SHOWN])
        rest = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(
            f"Neither the {known.source} nor measurements give a scale to {len(missing)} of the "
            f"{len(plan.activations)} activations to be quantized: {names}{rest}. Give calibration data to measure "
            "them, or leave their readers in float."
        )
