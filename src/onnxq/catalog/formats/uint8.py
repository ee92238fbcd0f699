"""Eight-bit codes 0..255 that spread over the range, wherever it lies."""

import numpy as np

from onnxq.core.format import Format

UINT8 = Format(
    name="uint8",
    storage="UINT8",
    low=0,
    high=255,
    snap=np.rint,  # half to even, as ONNX's QuantizeLinear rounds
    doc="8-bit codes over any range, with a zero point",
    symmetric=False,
)
