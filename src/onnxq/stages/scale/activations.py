"""The scales of activations: known ones first, then those that a calibrator chooses.

Tensors that share a scale take the largest that is known of any of them, so that none is clipped where its own known
scale would not have clipped it. Those of them without a known scale go along unmeasured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format, Range
from onnxq.core.known_scales import KnownScales
from onnxq.core.plan import Plan
from onnxq.core.scales import QuantParams
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import DataError
from onnxq.stages.scale.floors import floored_params

Group = tuple[str, ...]
"""Quantized activations that share one scale."""

_SHOWN = 5


def lacking(plan: Plan, known: KnownScales) -> tuple[str, ...]:
    """The quantized activations that `known` leaves open, in the order of the plan: those that must be measured."""
    needed = {tensor for group in _groups(plan).values() if known.largest(group) is None for tensor in group}
    return tuple(tensor for tensor in plan.activations if tensor in needed)


def activation_params(
    plan: Plan, statistics: Statistics, formats: Mapping[str, Format], calibrator: Calibrator, known: KnownScales
) -> Mapping[str, QuantParams]:
    """The parameters of each quantized activation, in the order of the plan.

    Raises:
        DataError: an activation has neither a known scale nor statistics.
    """
    _refuse_unmeasured(plan, statistics, known)
    groups = _groups(plan)
    measured = {
        group: reduce(TensorStatistics.merge, (_without_channels(statistics.tensors[tensor]) for tensor in group))
        for group in dict.fromkeys(groups.values())
        if known.largest(group) is None
    }
    params: dict[str, QuantParams] = {}
    for tensor, spec in ((d.site.tensor, d.spec) for d in plan.quantized):
        if spec is None or spec.role == "weight" or tensor in params:
            continue
        group, stored = groups[tensor], formats[spec.format]
        given = known.largest(group)
        covered = Range(0.0, 0.0) if given is not None else calibrator.choose(measured[group], stored)
        found = stored.scale(covered) if given is None else float(given)
        source = calibrator.name if given is None else known.source
        others = ", ".join(f"'{other}'" for other in group if other != tensor)
        made = floored_params([found], (), spec, f"{source}, shared with {others}" if others else source)
        params[tensor] = replace(made, zero_point=stored.zero_point(covered), known=given is not None)
    return params


def _groups(plan: Plan) -> Mapping[str, Group]:
    """The group of each quantized activation; its own, if it shares its scale with none."""
    groups: dict[str, Group] = {tensor: (tensor,) for tensor in plan.activations}
    for tied in plan.ties:
        members = tuple(tensor for tensor in tied if tensor in groups)
        if len(members) > 1:
            groups.update(dict.fromkeys(members, members))
    return groups


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
