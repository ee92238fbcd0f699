"""IEEE 754 binary16: eleven digits, but nothing beyond 65504."""

import numpy as np

from onnxq.core.float_type import Bits, FloatType
from onnxq.core.format import Floats


def _encode(values: Floats) -> Bits:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).view(np.uint16)


FP16 = FloatType(
    name="fp16",
    storage="FLOAT16",
    numpy="float16",
    largest=65504.0,
    normal=2.0**-14,
    smallest=2.0**-24,
    step=2.0**-10,
    opset=19,  # QuantizeLinear
    encode=_encode,
    decode=lambda bits: bits.astype(np.uint16).view(np.float16).astype(np.float32),
    doc="16 bits: 11 digits, up to 65504",
)
