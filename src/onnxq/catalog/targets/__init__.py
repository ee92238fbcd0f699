"""Placement tables, one per engine."""

from onnxq.catalog.targets.onnxruntime import ONNXRUNTIME
from onnxq.catalog.targets.tensorrt import TENSORRT
from onnxq.catalog.targets.tensorrt_rtx import TENSORRT_RTX
from onnxq.core.target import Target

TARGETS: tuple[Target, ...] = (TENSORRT, TENSORRT_RTX, ONNXRUNTIME)
