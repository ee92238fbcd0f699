"""Nets to look at lanes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxq import onnx_io
from onnxq.core.lane_rules import lanes_of
from onnxq.core.lanes import FIXED, Lanes
from tests.moved import known, random_error
from tests.net import Net

EXACT = 2e-6


class Floats(Net):
    """A net whose constants of floats are all of its type."""

    def constant(self, name: str, value: Any) -> str:
        array = np.asarray(value)
        return super().constant(name, array.astype(self.dtype) if array.dtype.kind == "f" else array)


class Bench(Floats):
    """A net whose tensor h, of 4 channels, comes out of a Conv, and what comes out of it."""

    def __init__(self, *shape: Any) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.input("x", *(shape or (2, 3, 5, 6)))
        self.node("Conv", "x", self.numbers("w", 4, 3, *[1] * (len(self.inputs["x"]) - 2)), out="h")

    def numbers(self, name: str, *shape: int) -> str:
        return self.constant(name, self.rng.normal(size=shape).astype(np.float32))

    def indices(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))

    def conv(self, tensor: str, out: str, channels: int = 4, **attributes: Any) -> str:  # type: ignore[override]
        return self.node("Conv", tensor, self.numbers(f"{out}_w", 5, channels, 1, 1), out=out, **attributes)

    def lanes(self, *outputs: str) -> Lanes:
        return lanes_of(onnx_io.view(known(self.model(*outputs))))


def free(classes: np.ndarray, lanes: Lanes, tensor: str) -> list[int]:
    """The classes of a tensor's lanes: 0 what is fixed, others counted from 1 in order of appearance."""
    found = classes[lanes.of[tensor]].ravel().tolist()
    names = {FIXED: FIXED}
    for member in found:
        names.setdefault(member, len(names))
    return [names[member] for member in found]


def scales(lanes: Lanes, tensor: str) -> list[int]:
    return free(lanes.scales, lanes, tensor)


def shifts(lanes: Lanes, tensor: str) -> list[int]:
    return free(lanes.shifts, lanes, tensor)


def refusal(net: Net, node: str, output: str | None = None) -> str:
    """Why a node carries nothing; what it reads is fixed then, and the graph computes the same all the same."""
    model = net.model(output or node)
    assert random_error(model) <= EXACT
    return lanes_of(onnx_io.view(known(model))).frozen[node]
