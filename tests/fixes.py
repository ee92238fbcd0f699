"""Fixes to test the pipeline with: one that helps, one that harms, one that finds nothing to do, and others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from onnxq.catalog import fixes as shelf
from onnxq.core.fix import Case, Fixed


@dataclass(frozen=True)
class Toy:
    """A fix that does what it is told.

    Attributes:
        name: as recipes spell it.
        does: case -> what becomes of it.
        preserves: whether the float model computes the same before and after.
    """

    name: str
    does: Callable[[Case], Fixed]
    preserves: bool = False
    doc: str = "for tests"

    def __call__(self, case: Case) -> Fixed:
        return self.does(case)


def corrected(case: Case) -> Fixed:
    """Adds to each bias what the mean over the samples lacks, upstream first: plain bias correction."""
    constants = dict(case.view.constants)
    for node in case.view.nodes:
        if node.op not in ("Conv", "Gemm") or len(node.inputs) < 3:
            continue
        view = replace(case.view, constants=constants)
        models = case.run(case.reference, None, node.outputs), case.run(view, case.scales, node.outputs)
        lacks, count = 0.0, 0
        for batch in case.samples.batches():
            before, after = (model(batch.feeds)[node.outputs[0]].astype(np.float64) for model in models)
            difference = np.moveaxis(before - after, 1, 0).reshape(before.shape[1], -1)
            lacks, count = lacks + difference.sum(axis=1), count + difference.shape[1]
            case.observer.advance(batch.samples, len(case.samples))
        bias = constants[node.inputs[2]]
        constants[node.inputs[2]] = (bias + lacks / count).astype(bias.dtype)
    return Fixed(replace(case.view, constants=constants), notes=("all biases",))


def halved(case: Case) -> Fixed:
    """Halves what a Conv or Gemm is multiplied with."""
    weight = next(node.inputs[1] for node in case.view.nodes if node.op in ("Conv", "Gemm"))
    constants = {**case.view.constants, weight: case.view.constants[weight] / np.float32(2)}
    return Fixed(replace(case.view, constants=constants))


def idle(case: Case) -> Fixed:
    """Finds nothing to do."""
    return Fixed(case.view, notes=("no such operator",))


def quadrupled(case: Case) -> Fixed:
    """What a Relu alone hands from one Conv to another is four times as large, and the weight there a fourth."""
    constants = dict(case.view.constants)
    for node in case.view.nodes:
        (reader,), producer = (*case.view.consumers(node.outputs[0]), None)[:1], case.view.producers.get(node.inputs[0])
        if node.op != "Relu" or len(case.view.sites[node.outputs[0]]) > 1 or producer is None or reader is None:
            continue
        if producer.op == reader.op == "Conv" and len(case.view.sites[producer.outputs[0]]) == 1:
            for tensor, factor in ((reader.inputs[1], 0.25), *((name, 4.0) for name in producer.inputs[1:])):
                constants[tensor] = constants[tensor] * np.float32(factor)
    return Fixed(replace(case.view, constants=constants))


def shelved(monkeypatch: pytest.MonkeyPatch, *fixes: Any) -> tuple[Any, ...]:
    """Puts fixes in place of those on the shelf."""
    monkeypatch.setattr(shelf, "FIXES", fixes)
    return fixes


HELPS, HARMS, IDLE = Toy("helps", corrected), Toy("harms", halved), Toy("idle", idle)
MOVES, BREAKS = Toy("moves", quadrupled, preserves=True), Toy("breaks", halved, preserves=True)
TOYS = (BREAKS, MOVES, HARMS, IDLE, HELPS)
"""In an order in which a shelf has them."""
