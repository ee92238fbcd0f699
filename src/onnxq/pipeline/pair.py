"""An FP32 model and the Q/DQ model made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import onnx

from onnxq import onnx_io
from onnxq.core.batch import InputSpec
from onnxq.core.comparison import common_tensors
from onnxq.core.graph import GraphView
from onnxq.errors import ModelError, near_misses
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup

FP32, INT8 = "FP32", "INT8"
"""What reports and Polygraphy's files call the two."""

_REAL = {f"tensor({name})" for name in ("float", "float16", "bfloat16", "double")}


@dataclass(frozen=True)
class Pair:
    """Two models that should compute about the same, and how they are run."""

    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    setup: Setup

    @cached_property
    def view(self) -> GraphView:
        """The FP32 graph."""
        return onnx_io.view(self.fp32)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that are tensors."""
        return tuple(v.name for v in self.fp32.graph.output if v.name not in self.strange_outputs)

    @cached_property
    def strange_outputs(self) -> Mapping[str, str]:
        """Outputs that are none, with the reason why they are not compared."""
        kinds = {value.name: value.type.WhichOneof("value") for value in self.fp32.graph.output}
        return {name: "it is a sequence or a map" for name, kind in kinds.items() if kind not in ("tensor_type", None)}

    @cached_property
    def border(self) -> frozenset[str]:
        """Names of all inputs and outputs."""
        return frozenset((*self.view.inputs, *self.view.outputs))

    def check(self) -> None:
        """Checks that both models can be fed the same, and give the same.

        Raises:
            ModelError: they cannot, or do not.
        """
        wanted, got = ({spec.name: spec for spec in onnx_io.inputs(model)} for model in (self.fp32, self.int8))
        _check_names("input", wanted, got)
        for name, spec in wanted.items():
            if not _fits(spec, got[name]):
                raise ModelError(
                    f"The models are not two forms of one: the input '{name}' is {_readable(spec)} in the {FP32} "
                    f"model, but {_readable(got[name])} in the {INT8} model."
                )
        _check_names("output", *([value.name for value in model.graph.output] for model in (self.fp32, self.int8)))

    def common_tensors(self) -> tuple[str, ...]:
        """The floating-point tensors that both models compute, by name, in the order of the FP32 graph.

        Raises:
            ModelError: there are none.
            RuntimeFailure: ONNX Runtime refuses the FP32 model.
        """
        named = common_tensors(self.view, onnx_io.view(self.int8))
        types = Session(self.fp32, named, self.setup).loaded.get_outputs() if named else ()
        found = tuple(value.name for value in types if value.type in _REAL)
        if not found:
            raise ModelError(
                "The models have no floating-point tensor of the same name: --layers has nothing to compare."
            )
        return found

    def sessions(self, tensors: Sequence[str]) -> dict[str, Session]:
        """Both models, made to return `tensors`; Q/DQ are computed as they are written.

        Raises:
            RuntimeFailure: ONNX Runtime refuses a model.
        """
        quantized = replace(self.setup, as_written=True)
        return {FP32: Session(self.fp32, tensors, self.setup), INT8: Session(self.int8, tensors, quantized)}


def _check_names(what: str, wanted: Iterable[str], got: Iterable[str]) -> None:
    sides = {FP32: list(wanted), INT8: list(got)}
    for one, other in ((FP32, INT8), (INT8, FP32)):
        for name in sides[one]:
            if name not in sides[other]:
                raise ModelError(
                    f"The models are not two forms of one: the {what} '{name}' of the {one} model is missing from the "
                    f"{other} model, which has: {', '.join(sides[other])}.{near_misses(name, sides[other])}"
                )


def _fits(one: InputSpec, other: InputSpec) -> bool:
    if one.dtype != other.dtype or one.shape is None or other.shape is None:
        return one.dtype == other.dtype
    if len(one.shape) != len(other.shape):
        return False
    return all(None in sizes or sizes[0] == sizes[1] for sizes in zip(one.shape, other.shape, strict=True))


def _readable(spec: InputSpec) -> str:
    shape = "any shape" if spec.shape is None else f"({', '.join('any' if d is None else str(d) for d in spec.shape)})"
    return f"{spec.dtype or 'of an unknown type'} {shape}"
