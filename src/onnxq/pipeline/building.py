"""From an ONNX model to an engine, and from either to the kernels it is made of."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from onnxq import onnx_io
from onnxq.core.build_options import BuildOptions
from onnxq.core.layer_plan import LayerPlan, unkept
from onnxq.core.observer import Observer
from onnxq.core.plan import Plan
from onnxq.core.recipe import Recipe
from onnxq.core.samples import Samples
from onnxq.errors import ModelError, RecipeError, VerifyError
from onnxq.pipeline.shapes import profiles
from onnxq.runtimes.tensorrt import Engine, build, find_backend, inspect_engine, operators_from_model

SHOWN = 5
"""Nodes that a message names."""

CHECKED_WITH = "tensorrt-rtx"
"""The backend that compiles for a GPU that need not be there."""

MODELS = (".onnx", ".pb", ".ort", ".json", ".txt", ".npz", ".npy")
"""What names end in that no engine has."""


@dataclass(frozen=True)
class Built:
    """An engine, and the plan of its kernels."""

    engine: Engine
    plan: LayerPlan


def built(model: Path, options: BuildOptions, calib: Samples | None = None, observer: Observer | None = None) -> Built:
    """The engine of a model.

    Args:
        model: an ONNX file; its weights may be in other files beside it.
        options: how to build it.
        calib: samples, whose shapes the engine must take.
        observer: told of the progress.

    Raises:
        ModelError: the model cannot be read.
        DataError: the samples cannot be read, or do not fit the model.
        RecipeError: a free dimension has no size, or the options fit neither model nor builder.
        RuntimeFailure: the builder is missing, refuses the model, or fails.
    """
    proto = onnx_io.load(model)
    shaped = replace(options, profiles=profiles(proto, options.profiles, calib))
    engine = build(model.resolve(), shaped, observer)
    return Built(engine, LayerPlan(engine.layers, operators_from_model(proto)))


def layer_plan(
    path: Path, options: BuildOptions, calib: Samples | None = None, observer: Observer | None = None
) -> LayerPlan:
    """The kernels of an engine, or of the engine that a model would become.

    Raises:
        ModelError: the file is neither, or cannot be read.
        RuntimeFailure: see `built`; an engine can only be opened on the GPU it was built for.
    """
    if len(options.compute_capabilities) > 1:
        raise RecipeError("The layers are those of one GPU. Give one --compute-capability.")
    try:
        onnx_io.load(path)
    except ModelError:
        if not path.is_file() or path.suffix.lower() in MODELS:
            raise
        return inspect_engine(path.read_bytes(), options)
    return built(path, replace(options, fixed=True), calib, observer).plan


def check_is_possible(recipe: Recipe) -> None:
    """Says before the work is done why `check_kernels` would fail.

    Raises:
        RecipeError: the recipe asks for no INT8.
        RuntimeFailure: TensorRT for RTX is not installed.
    """
    if not recipe.int8:
        raise RecipeError("--check looks for INT8 kernels, and --no-int8 asks for none. Give one of them.")
    find_backend(CHECKED_WITH)


def check_kernels(model: onnx.ModelProto, plan: Plan, calib: Samples | None = None) -> LayerPlan:
    """The kernels that TensorRT for RTX makes of a quantized model, once they are known to be what was planned.

    Args:
        model: the quantized model.
        plan: what was planned for it.
        calib: samples of the shapes that it is compiled for.

    Raises:
        VerifyError: a node that should compute in INT8 computes in float.
        RuntimeFailure: the compiler is missing, refuses the model, or fails.
    """
    with tempfile.TemporaryDirectory(prefix="onnxq.") as folder:
        path = Path(folder, "model.onnx")
        onnx_io.save(model, path)
        found = layer_plan(path, BuildOptions(CHECKED_WITH, ("8.9",)), calib)
    floats = unkept(found, dict.fromkeys(decision.site.node for decision in plan.quantized))
    if floats:
        raise VerifyError(
            f"{len(floats)} of the planned INT8 nodes compute in float in TensorRT for RTX: {', '.join(floats[:SHOWN])}"
            f"{' ...' if floats[SHOWN:] else ''}. Leave them out with --skip, or write the model without --check."
        )
    return found
