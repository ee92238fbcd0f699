"""bfloat16: the upper half of a binary32, eight digits."""

import numpy as np

from onnxq.core.float_type import Bits, FloatType
from onnxq.core.format import Floats


def _encode(values: Floats) -> Bits:
    bits = np.atleast_1d(values.astype(np.float32)).view(np.uint32)
    rounded = bits + (0x7FFF + ((bits >> 16) & 1))  # half to even; what overflows carries into Inf
    quiet = np.where(np.isnan(bits.view(np.float32)), np.uint32(0x7FC00000), rounded)  # no NaN carries into a number
    return (quiet >> 16).astype(np.uint16).reshape(np.shape(values))


def _decode(bits: Bits) -> np.ndarray:
    return np.atleast_1d(bits.astype(np.uint32) << 16).view(np.float32).reshape(np.shape(bits))


BF16 = FloatType(
    name="bf16",
    storage="BFLOAT16",
    numpy="bfloat16",
    largest=float.fromhex("0x1.fep127"),
    normal=2.0**-126,
    smallest=2.0**-133,
    step=2.0**-7,
    opset=22,  # Conv
    encode=_encode,
    decode=_decode,
    doc="16 bits: 8 digits, the range of FP32",
)
