"""Edge to ONNX Runtime: runs models."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import EncodeError
from onnxruntime.capi import onnxruntime_pybind11_state as state

from onnxq.core.batch import Tensors
from onnxq.errors import RuntimeFailure
from onnxq.runtimes.setup import Setup

_FAILURES: tuple[type[Exception], ...] = (
    *(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    ValueError,
    TypeError,
    RuntimeError,
)


class Session:
    """A loaded model.

    Attributes:
        outputs: the names of what a call returns.
    """

    def __init__(self, model: onnx.ModelProto, taps: Sequence[str] = (), setup: Setup = Setup()) -> None:
        """Loads `model`.

        Args:
            model: to run.
            taps: further tensors to return; the model's own outputs are then left out.
            setup: where and how.

        Raises:
            RuntimeFailure: ONNX Runtime refuses the model.
        """
        self.outputs = list(taps) or [value.name for value in model.graph.output]
        weights = {tensor.name for tensor in model.graph.initializer}
        self._inputs = {value.name for value in model.graph.input} - weights  # what a caller has to feed
        self._computed = [name for name in self.outputs if name not in self._inputs]
        tapped = _tapped(model, self._computed) if taps else model
        try:
            self._session = _load(tapped, setup)
        except _FAILURES as cause:
            raise RuntimeFailure(f"ONNX Runtime {ort.__version__} refuses the model: {_first_line(cause)}") from cause
        if (lost := [name for name in setup.providers if name not in self._session.get_providers()]) and self._computed:
            raise RuntimeFailure(
                f"ONNX Runtime {ort.__version__} cannot start {', '.join(lost)}: a driver or library that it needs is "
                "missing. Leave out --provider to run on the CPU."
            )

    def __call__(self, feeds: Tensors) -> Tensors:
        """The outputs for `feeds`, by name.

        Raises:
            RuntimeFailure: ONNX Runtime stops.
        """
        try:
            values = self._session.run(self._computed, dict(feeds)) if self._computed else []
        except _FAILURES as cause:
            raise RuntimeFailure(f"ONNX Runtime stopped while running the model: {_first_line(cause)}") from cause
        return {
            **{n: feeds[n] for n in self.outputs if n in self._inputs},
            **dict(zip(self._computed, values, strict=True)),
        }

    @property
    def loaded(self) -> ort.InferenceSession:
        """ONNX Runtime's own session."""
        return self._session


def providers() -> tuple[str, ...]:
    """The execution providers that this build of ONNX Runtime has."""
    return tuple(ort.get_available_providers())


def run(model: onnx.ModelProto, feeds: Tensors, setup: Setup = Setup()) -> Tensors:
    """The outputs of `model` for one set of feeds; nothing of it stays in memory.

    Raises:
        RuntimeFailure: ONNX Runtime refuses the model, or stops.
    """
    return Session(model, setup=setup)(feeds)


def evaluate(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The outputs of a model without inputs."""
    return dict(Session(model)({}))


def _load(model: onnx.ModelProto, setup: Setup) -> ort.InferenceSession:
    options, providers = setup.session_options(), list(setup.providers)
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers)
    except EncodeError:  # more than one protobuf message can hold: 2 GiB
        pass
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        onnx.save_model(copy, path, save_as_external_data=True, location="weights")
        return ort.InferenceSession(path, options, providers)


def _tapped(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """A copy of `model` that returns `tensors` in place of its outputs."""
    types = {value.name: value for value in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name in tensors:
        output = copy.graph.output.add()
        if name in types:
            output.CopyFrom(types[name])
        output.name = name
    return copy


def _first_line(cause: Exception) -> str:
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
