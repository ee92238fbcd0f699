"""Placement tables, one per engine."""

from onnxq.catalog.targets.tensorrt import TENSORRT
from onnxq.core.target import Target

TARGETS: tuple[Target, ...] = (TENSORRT,)
