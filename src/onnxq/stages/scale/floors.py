"""What stands in for a scale where there was nothing to scale."""

from __future__ import annotations

import numpy as np

from onnxq.core.scales import QuantParams
from onnxq.core.spec import Spec

DEAD = 1.0
"""The scale of values that were all zero: any would do, and this one can neither overflow nor underflow."""

FLOOR = float(np.finfo(np.float32).tiny)
"""The smallest scale: the engine divides by it, and must not get Inf."""


def floored_params(found: list[float], shape: tuple[int, ...], spec: Spec, source: str) -> QuantParams:
    """Scales in float32, floored where there was nothing to scale."""
    raw = np.array(found, np.float64)
    scales = np.where(raw > 0.0, np.maximum(raw, FLOOR), DEAD).astype(np.float32)
    return QuantParams(scales.reshape(shape), spec, source, floored=int(np.sum(raw < FLOOR)))
