"""Eight-bit integers: codes -128..127, symmetric ranges reach 127."""

import numpy as np

from onnxq.core.format import Format

INT8 = Format(
    name="int8",
    storage="INT8",
    low=-128,
    high=127,
    snap=np.rint,  # half to even, as ONNX's QuantizeLinear and TensorRT round
    doc="8-bit integers, symmetric around zero",
)
