"""From an ONNX model to an engine, and from either to the kernels it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx

from onnxq import onnx_io
from onnxq.core.batch import InputSpec
from onnxq.core.build_options import BuildOptions, Profile
from onnxq.core.layer_plan import LayerPlan, unkept
from onnxq.core.observer import Observer
from onnxq.core.plan import Plan
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import ModelError, RecipeError, VerifyError
from onnxq.pipeline.sources import first
from onnxq.runtimes.tensorrt import Engine, build, inspect_engine, operators_from_model

SHOWN = 5

BATCHES = (1, 8, 32)
"""The smallest, usual and largest batch, where neither the model nor anybody says more."""


def built(model: Path, options: BuildOptions, calib: Samples | None = None, observer: Observer | None = None) -> Engine:
    """The engine of a model.

    Args:
        model: an ONNX file; its weights may be in other files beside it.
        options: how to build it.
        calib: samples, whose shapes the engine must take.
        observer: told of the progress.

    Raises:
        ModelError: the model cannot be read.
        RecipeError: a free dimension has no size, or the options fit neither model nor builder.
        RuntimeFailure: the builder is missing, refuses the model, or fails.
    """
    proto = onnx_io.load(model)
    profiles = {**_profiles(onnx_io.inputs(proto), options.profiles, calib), **options.profiles}
    return build(model.resolve(), replace(options, profiles=profiles), observer)


def layer_plan(path: Path, options: BuildOptions, observer: Observer | None = None) -> LayerPlan:
    """The kernels of an engine, or of the engine that a model would become.

    Raises:
        ModelError: the file is neither, or cannot be read.
        RuntimeFailure: see `built`; an engine can only be opened on the GPU it was built for.
    """
    if not path.is_file():
        raise ModelError(f"'{path}' does not exist.")
    try:
        proto = onnx_io.load(path)
    except ModelError:
        if path.suffix.lower() in (".onnx", ".pb", ".json", ".txt", ".npz"):
            raise
        return inspect_engine(path.read_bytes())
    engine = built(path, replace(options, fixed=True), observer=observer)
    return LayerPlan(engine.layers, operators_from_model(proto))


def layer_plan_of(model: onnx.ModelProto) -> LayerPlan:
    """The kernels that TensorRT for RTX makes of a model in memory, below 2 GiB."""
    profiles = _profiles(onnx_io.inputs(model), {}, None)
    engine = build(model.SerializeToString(), BuildOptions("tensorrt-rtx", profiles=profiles, fixed=True))
    return LayerPlan(engine.layers, operators_from_model(model))


def check_kernels(model: onnx.ModelProto, plan: Plan) -> LayerPlan:
    """The kernels that TensorRT for RTX makes of a quantized model, once they are known to be what was planned.

    Raises:
        VerifyError: a node that should compute in INT8 computes in float.
        RuntimeFailure: the compiler is missing, refuses the model, or fails.
    """
    found = layer_plan_of(model)
    floats = unkept(found, dict.fromkeys(decision.site.node for decision in plan.quantized))
    if floats:
        raise VerifyError(
            f"{len(floats)} of the planned INT8 nodes compute in float in TensorRT for RTX: {', '.join(floats[:SHOWN])}"
            f"{' ...' if floats[SHOWN:] else ''}. Leave them out with --skip, or write the model without --check."
        )
    return found


def _profiles(inputs: tuple[InputSpec, ...], given: Mapping[str, Profile], calib: Samples | None) -> dict[str, Profile]:
    """Profiles of the inputs that have free dimensions and none yet."""
    free = [spec for spec in inputs if spec.shape is not None and None in spec.shape and spec.name not in given]
    if not free:
        return {}
    feeds = first(source(calib, Request(inputs, 1)).batches()).feeds if calib else {}
    return {spec.name: _profile(spec, feeds[spec.name].shape if spec.name in feeds else None) for spec in free}


def _profile(spec: InputSpec, sample: tuple[int, ...] | None) -> Profile:
    shape = spec.shape or ()
    if sample is None and (unknown := [axis for axis, size in enumerate(shape) if axis and size is None]):
        raise RecipeError(
            f"Axis {unknown[0]} of the input '{spec.name}' has no size in the model. Give --shapes "
            f"{spec.name}:MIN:OPT:MAX, or samples with --calib."
        )

    def sized(batch: int) -> tuple[int, ...]:
        return tuple(
            size if size is not None else batch if not axis else sample[axis] if sample else 1
            for axis, size in enumerate(shape)
        )

    return Profile(*(sized(batch) for batch in BATCHES))
