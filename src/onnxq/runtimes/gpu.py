"""Which GPUs answer."""

from __future__ import annotations

import ctypes
import sys

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
"""The library of NVIDIA's driver, which is there where a GPU is."""

LONGEST = 256
"""Bytes of a GPU's name, its end included."""


def gpu_answers() -> bool:
    """Whether NVIDIA's driver is there, and finds a GPU that this process may use."""
    return bool(gpus())


def gpus() -> tuple[str, ...]:
    """The names of the GPUs that NVIDIA's driver finds for this process."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return ()
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    return tuple(_name(driver, number) for number in range(count.value))


def _name(driver: ctypes.CDLL, number: int) -> str:
    name = ctypes.create_string_buffer(LONGEST)
    device = ctypes.c_int(0)
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, LONGEST, device)
    return name.value.decode(errors="replace")
