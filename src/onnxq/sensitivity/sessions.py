"""Loaded pieces of a model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import onnx

from onnxq import onnx_io
from onnxq.catalog.formats import FORMATS_BY_NAME
from onnxq.core.batch import Tensors
from onnxq.core.scales import Scales
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity.segments import Segments, pieces
from onnxq.sensitivity.versions import Params, Row, Versions
from onnxq.stages.rewrite import rewrite

OVERHEAD = 1 << 18
"""About what a session takes beside its weights, in bytes."""


@dataclass(frozen=True)
class _Loaded:
    """A piece of a model, ready to run.

    Attributes:
        session: None if the piece computes nothing that anybody needs.
        reads: what it has to be fed.
        bytes: about what it takes.
    """

    session: Session | None
    reads: tuple[str, ...]
    bytes: int

    @staticmethod
    def of(model: onnx.ModelProto, setup: Setup) -> _Loaded:
        if not model.graph.output:
            return _Loaded(None, (), OVERHEAD)
        reads = tuple(value.name for value in model.graph.input)
        return _Loaded(Session(model, setup=setup), reads, onnx_io.size(model) + OVERHEAD)

    def __call__(self, feeds: Tensors) -> Tensors:
        return self.session(feeds) if self.session else {}


class Sessions:
    """Runs versions of segments, and keeps what it has loaded for others that need the same.

    May be called by several threads at once.
    """

    def __init__(self, segments: Segments, versions: Versions, setup: Setup, memory: int) -> None:
        """Loads nothing yet.

        Args:
            segments: of a prepared model.
            versions: what the numbers of versions mean.
            setup: where and how they are run.
            memory: bytes of weights that are kept; what was not used for the longest time is dropped.
        """
        self._segments, self._versions, self._memory = segments, versions, memory
        self._setup = replace(setup, threads=setup.threads or 1, as_written=True, shares_memory=True)
        self._loaded: OrderedDict[tuple[int, Row], _Loaded] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def advance(self, start: int, versions: Row, state: Tensors) -> Tensors:
        """Runs neighbouring segments.

        Args:
            start: the number of the first.
            versions: those of all, one after the other.
            state: the tensors that cross the border in front.

        Returns:
            The tensors that cross the border behind.
        """
        for first, last in pieces(start, start + len(versions)):
            loaded = self._load(first, versions[first - start : last - start])
            there = {**state, **loaded({tensor: state[tensor] for tensor in loaded.reads})}
            state = {tensor: there[tensor] for tensor in self._segments.crossing[last] if tensor in there}
        return state

    def _load(self, start: int, versions: Row) -> _Loaded:
        key = start, versions
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
                return self._loaded[key]
            loaded = self._loaded[key] = _Loaded.of(self._model(start, versions), self._setup)
            self._bytes += loaded.bytes
            while self._bytes > self._memory and len(self._loaded) > 1:
                self._bytes -= self._loaded.popitem(last=False)[1].bytes
            return loaded

    def _model(self, start: int, versions: Sequence[int]) -> onnx.ModelProto:
        model = self._segments.piece(start, start + len(versions))
        params = {site: p for number in versions for site, p in self._versions.params[number].items()}
        return rewrite(model, onnx_io.view(model), _scales(params), params, FORMATS_BY_NAME) if params else model


def _scales(params: Params) -> Scales:
    return Scales(
        activations={site.tensor: p for site, p in params.items() if p.spec.role != "weight"},
        weights={site: p for site, p in params.items() if p.spec.role == "weight"},
    )
