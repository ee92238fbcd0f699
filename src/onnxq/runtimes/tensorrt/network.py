"""From an ONNX model to a network: parsing, refusals, optimization profiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxq.core.build_options import Profile
from onnxq.errors import RecipeError, RuntimeFailure, near_misses
from onnxq.runtimes.tensorrt.advice import advised
from onnxq.runtimes.tensorrt.log import join
from onnxq.runtimes.tensorrt.package import Backend

FREE_DIM = 8
"""The size given to an input dimension that the model leaves free."""

LARGEST_BATCH = 32
"""The largest size of a free first dimension, where nothing else is asked for."""


def network_of(backend: Backend, builder: Any, log: Any, model: bytes | Path) -> Any:
    """The network that `model` describes, strongly typed.

    Raises:
        RuntimeFailure: the parser refuses the model.
    """
    trt = backend.trt
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # later versions know no other networks
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, log)
    parsed = parser.parse_from_file(str(model)) if isinstance(model, Path) else parser.parse(model)
    if not parsed:
        refusals = [_refusal(parser.get_error(index)) for index in range(parser.num_errors)]
        raise RuntimeFailure(advised(f"{backend.title} refuses the model: {join(refusals)}"))
    return network


def _refusal(error: Any) -> str:
    where = f"{error.node_operator()} '{error.node_name()}': " if error.node_name() else ""
    reason: str = error.desc()
    reason = reason.removeprefix(f"Invalid Node - {error.node_name()}\n").partition("\n[checkMacros")[0]
    reason = "the parser does not know this operator" if reason == "false" else reason
    return where + reason.replace("\n", " ")  # what is cut off says only the name again, and that no GPU is there


def profile_of(builder: Any, network: Any, profiles: Mapping[str, Profile], fixed: bool) -> Any:
    """The optimization profile: what was asked for, else any batch up to `LARGEST_BATCH`, chosen for `FREE_DIM`.

    Raises:
        RecipeError: a profile is of no input, or does not fit it.
    """
    inputs = {tensor.name: tensor for tensor in map(network.get_input, range(network.num_inputs))}
    for name, asked in profiles.items():
        if name not in inputs:
            raise RecipeError(
                f"No input is called '{name}'.{near_misses(name, inputs)} The model's inputs are: {', '.join(inputs)}"
            )
        shape = tuple(inputs[name].shape)
        fits = len(shape) == len(asked.best) and all(
            size in (-1, low) and size in (-1, high)
            for size, low, high in zip(shape, asked.low, asked.high, strict=True)
        )
        if not fits:
            raise RecipeError(f"The input '{name}' has the shape {shape}, -1 where free: {asked.best} does not fit.")
    result = builder.create_optimization_profile()
    for name, tensor in inputs.items():
        if -1 in tuple(tensor.shape):
            chosen = profiles.get(name) or _default(tuple(tensor.shape))
            chosen = chosen.fixed if fixed else chosen
            result.set_shape(name, chosen.low, chosen.best, chosen.high)
    return result


def _default(shape: tuple[int, ...]) -> Profile:
    def sized(first: int) -> tuple[int, ...]:
        return tuple((first if not index else FREE_DIM) if dim < 0 else dim for index, dim in enumerate(shape))

    return Profile(sized(1), sized(FREE_DIM), sized(LARGEST_BATCH))
