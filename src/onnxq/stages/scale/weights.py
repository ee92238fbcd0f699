"""The scales of weights, which are all there to be looked at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxq.core.calibrator import Calibrator
from onnxq.core.format import Format
from onnxq.core.graph import GraphView, Site
from onnxq.core.scales import QuantParams
from onnxq.core.spec import PerAxis, Spec
from onnxq.core.tally import extremes, measured
from onnxq.stages.scale.floors import floored_params


def weight_params(
    site: Site, view: GraphView, spec: Spec, formats: Mapping[str, Format], calibrator: Calibrator
) -> QuantParams:
    """The parameters of a weight, one scale per tensor or per slice along an axis."""
    weight, stored = view.constants[site.tensor], formats[spec.format]
    cut = spec.granularity
    slices = list(np.moveaxis(weight, cut.axis, 0)) if isinstance(cut, PerAxis) else [weight]
    measure = measured if calibrator.reads_histogram else extremes
    found = [stored.scale(calibrator.choose(measure(part), stored)) for part in slices]
    shape = (len(slices),) if isinstance(cut, PerAxis) else ()
    return floored_params(found, shape, spec, f"weight, {calibrator.name}")
