"""The rest: what is not quantized, and the floating-point type of each of its edges."""

from __future__ import annotations

from dataclasses import dataclass

from onnxq.core.float_type import FloatType
from onnxq.core.graph import Site


@dataclass(frozen=True)
class Kept:
    """A node that computes in FP32 although the rest does not, and why."""

    node: str
    op: str
    reason: str
    source: str


@dataclass(frozen=True)
class Rest:
    """Which edges and tensors are of the low type; all other floating-point ones are FP32.

    Attributes:
        type: the low type.
        reads: the edges that are read in it.
        writes: the tensors that are computed in it, graph inputs that arrive in it included.
        kept: nodes that stay in FP32.
        low_outputs: whether graph outputs may be of the low type; they are cast to FP32 otherwise.
    """

    type: FloatType
    reads: frozenset[Site]
    writes: frozenset[str]
    kept: tuple[Kept, ...]
    low_outputs: bool = False
