"""The types that the rest of a model, which is not quantized, can be stored in."""

from onnxq.catalog.floats.bf16 import BF16
from onnxq.catalog.floats.fp16 import FP16
from onnxq.catalog.floats.fp32 import FP32
from onnxq.core.float_type import FloatType

FLOATS: tuple[FloatType, ...] = (FP32, FP16, BF16)
