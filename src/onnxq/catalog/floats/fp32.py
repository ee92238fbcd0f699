"""IEEE 754 binary32: what models are trained in."""

import numpy as np

from onnxq.core.float_type import FloatType

FP32 = FloatType(
    name="fp32",
    storage="FLOAT",
    numpy="float32",
    largest=float(np.finfo(np.float32).max),
    normal=2.0**-126,
    smallest=2.0**-149,
    step=2.0**-23,
    opset=1,
    encode=lambda values: values.astype(np.float32).view(np.uint32),
    decode=lambda bits: bits.view(np.float32),
    doc="32 bits, as the model came",
)
