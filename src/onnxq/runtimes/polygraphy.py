"""Edge to Polygraphy: runs models side by side in its Comparator, and writes its JSON."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from onnxq import files
from onnxq.core.batch import Batch, Tensors
from onnxq.core.observer import Observer
from onnxq.errors import ModelError, RuntimeFailure
from onnxq.runtimes.onnxruntime import Session

Outputs = Mapping[str, Tensors]
"""What each model made of one batch, by the name of the model."""


@dataclass(frozen=True)
class Engine:
    """A serialized TensorRT engine, and the names that its inputs and outputs must have."""

    path: Path
    tensors: frozenset[str]


def run(
    models: Mapping[str, Session | Engine], batches: Iterable[Batch], observer: Observer
) -> Iterator[tuple[Batch, Outputs]]:
    """Feeds each batch to all models. What is returned for one batch is good until the next one is asked for.

    Args:
        models: by name.
        batches: what to feed.
        observer: is told in detail what Polygraphy logs.

    Raises:
        RuntimeFailure: Polygraphy, or TensorRT for an engine, is missing; or a model gives up.
        ModelError: the engine cannot be read, or has other inputs and outputs.
    """
    comparator = _load_package("polygraphy.comparator").Comparator
    failure = _load_package("polygraphy.exception").PolygraphyException
    fed: deque[Batch] = deque()

    def feeds() -> Iterator[Tensors]:
        for batch in batches:
            fed.append(batch)
            yield batch.feeds

    with _logging_to(observer):
        runners = [_runner(name, model) for name, model in models.items()]
        try:
            for results in comparator.run(runners, data_loader=feeds(), streaming=True):
                yield fed.popleft(), {name: dict(found[0].items()) for name, found in results.items()}
        except failure as cause:
            raise RuntimeFailure(f"Polygraphy stopped: {_first_line(cause)}") from cause


def check_package() -> None:
    """Checks that Polygraphy is there, before any work is done.

    Raises:
        RuntimeFailure: it is not.
    """
    _load_package("polygraphy")


class Record:
    """What was fed to models and what came out, to be kept as the JSON that Polygraphy's own tools load.

    Args:
        inputs: keep what is fed.
        outputs: keep what comes out.
    """

    def __init__(self, inputs: bool = False, outputs: bool = False) -> None:
        self._keeps = inputs, outputs
        self._inputs: list[Tensors] = []
        self._outputs: dict[str, list[Tensors]] = {}

    def add(self, feeds: Tensors, outputs: Outputs) -> None:
        """Keeps what was asked for of one batch."""
        if self._keeps[0]:
            self._inputs.append({name: array.copy() for name, array in feeds.items()})
        for model, found in outputs.items() if self._keeps[1] else ():
            self._outputs.setdefault(model, []).append({name: array.copy() for name, array in found.items()})

    def save_inputs(self, path: Path) -> None:
        """Writes what ``polygraphy run --load-inputs`` reads.

        Raises:
            OutputError: the file cannot be written.
        """
        files.write(path, _load_package("polygraphy.json").to_json(self._inputs).encode())

    def save_outputs(self, path: Path) -> None:
        """Writes what ``polygraphy run --load-outputs`` reads: one run for each model.

        Raises:
            OutputError: the file cannot be written.
        """
        results = _load_package("polygraphy.comparator").RunResults()
        for model, found in self._outputs.items():
            results.add(found, runner_name=model)
        files.write(path, results.to_json().encode())


class _SessionOfPolygraphy:
    """A Session in the shape in which Polygraphy's OnnxrtRunner knows ONNX Runtime's own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_inputs(self) -> list[Any]:
        return list(self._session.loaded.get_inputs())

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self._session.outputs]

    def run(self, names: None, feeds: Tensors) -> list[Any]:  # noqa: ARG002 - it asks for all
        found = self._session(feeds)
        return [found[name] for name in self._session.outputs]


def _runner(name: str, model: Session | Engine) -> Any:
    if isinstance(model, Session):
        return _load_package("polygraphy.backend.onnxrt").OnnxrtRunner(_SessionOfPolygraphy(model), name=name)
    if importlib.util.find_spec("tensorrt") is None:
        raise RuntimeFailure("Running an engine needs TensorRT and a GPU: pip install 'onnxq[tensorrt]'")
    try:
        content = model.path.read_bytes()
    except OSError as cause:
        raise ModelError(f"The engine '{model.path}' cannot be read: {cause.strerror}.") from cause
    return _load_package("polygraphy.backend.trt").TrtRunner(lambda: _engine(model, content), name=name)


def _engine(model: Engine, content: bytes) -> Any:
    """The engine, deserialized and checked."""
    failure = _load_package("polygraphy.exception").PolygraphyException
    try:
        engine = _load_package("polygraphy.backend.trt").engine_from_bytes(content)
    except (failure, RuntimeError, TypeError, OSError) as cause:
        raise RuntimeFailure(
            f"TensorRT cannot load the engine '{model.path}': {_first_line(cause)}. It needs a GPU, and an engine that "
            "this version of TensorRT built for this GPU."
        ) from cause
    has = {engine.get_tensor_name(index) for index in range(engine.num_io_tensors)}
    if other := sorted(has ^ model.tensors):
        who = "The engine" if other[0] in has else "The FP32 model"
        raise ModelError(
            f"The engine '{model.path}' was not built from these models: {who} alone has an input or output "
            f"'{other[0]}'."
        )
    return engine


def _load_package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeFailure("Comparing needs Polygraphy: pip install 'onnxq[polygraphy]'") from error


@contextmanager
def _logging_to(observer: Observer) -> Iterator[None]:
    """Polygraphy's log goes to `observer` instead of standard output: its errors arrive as exceptions besides."""
    logger, channel, handler = (
        _load_package("polygraphy.logger").G_LOGGER,
        logging.getLogger("Polygraphy"),
        _Ear(observer),
    )
    before = logger.use_python_logging_system, logger.colors, channel.level, channel.propagate
    logger.use_python_logging_system, logger.colors = True, False
    channel.setLevel(logging.INFO)
    channel.propagate = False
    channel.addHandler(handler)
    try:
        yield
    finally:
        channel.removeHandler(handler)
        logger.use_python_logging_system, logger.colors, channel.level, channel.propagate = before


class _Ear(logging.Handler):
    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._observer.detail(record.getMessage())


def _first_line(cause: Exception) -> str:
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
