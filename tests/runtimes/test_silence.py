"""Standard output belongs to onnxq: what a library writes there past Python is lost, and nothing after it."""

from __future__ import annotations

import ctypes
import os

import pytest

from onnxq.runtimes.tensorrt.silence import silenced


def test_what_a_library_writes_is_lost(capfd):
    with silenced():
        os.write(1, b"noise")
    assert capfd.readouterr().out == ""


@pytest.mark.skipif(os.name != "posix", reason="asks the C library by its symbols")
def test_what_a_library_still_holds_is_lost_too(capfd):
    with silenced():
        ctypes.CDLL(None).puts(b"noise")
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr().out == ""


def test_what_comes_afterwards_is_not(capfd):
    with pytest.raises(ValueError, match="within"), silenced():
        raise ValueError("within")
    os.write(1, b"a line")
    assert capfd.readouterr().out == "a line"


def test_standard_error_is_left_alone(capfd):
    with silenced():
        os.write(2, b"a line")
    assert capfd.readouterr().err == "a line"
