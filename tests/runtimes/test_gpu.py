"""Which GPUs answer, asked of a driver that is not there."""

from __future__ import annotations

import ctypes

import pytest

from onnxq.runtimes import gpu


class Driver:
    """NVIDIA's driver, as far as it is called."""

    def __init__(self, names: list[str], starts: bool = True) -> None:
        self._names, self._starts = names, starts

    def cuInit(self, flags: int) -> int:
        return 0 if self._starts else 100

    def cuDeviceGetCount(self, count) -> int:
        count._obj.value = len(self._names)
        return 0

    def cuDeviceGet(self, device, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, name, size: int, device) -> int:
        name.value = self._names[device.value].encode()
        return 0


@pytest.mark.parametrize("names", [[], ["NVIDIA H100 80GB HBM3"], ["NVIDIA L4", "NVIDIA T4"]])
def test_their_names(monkeypatch, names):
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Driver(names))
    assert gpu.gpus() == tuple(names)
    assert gpu.gpu_answers() is bool(names)


def test_a_driver_that_does_not_start(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Driver(["NVIDIA L4"], starts=False))
    assert gpu.gpus() == ()


def test_no_driver(monkeypatch):
    monkeypatch.setattr(gpu, "DRIVER", "no-such-library.so")
    assert gpu.gpus() == ()
