"""Ctrl-C while Python imports: one line, no traceback, whatever is being imported."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from onnxq.cli.interruption import ends_at_once

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

HOLD = """
import runpy, sys, time
from pathlib import Path

class Hold:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            Path({marker!r}).touch()
            {wait}

sys.meta_path.insert(0, Hold())
runpy.run_module("onnxq", run_name="__main__", alter_sys=True)
"""
"""Runs `python -m onnxq`, and holds it in front of the import of a module."""

WAIT = "time.sleep(60)"
SWALLOW = "try: time.sleep(60)\n            except KeyboardInterrupt: raise ImportError('initialization failed')"
"""What a package in C++ makes of it."""


@pytest.mark.slow
@pytest.mark.parametrize("wait", [WAIT, SWALLOW], ids=["plain", "swallowed"])
@pytest.mark.parametrize("module", ["onnxq.cli.quantize", "numpy", "onnx", "onnxruntime"])
def test_ctrl_c_amid_an_import(desk, start, tmp_path_factory, module, wait):
    marker = tmp_path_factory.mktemp("marker") / "held"
    before = desk.files()
    code = HOLD.format(module=module, marker=str(marker), wait=wait)
    process = start("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", code=("-c", code))
    end = time.monotonic() + 60
    while not marker.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted; nothing was written\n")
    assert desk.files() == before


@pytest.mark.slow
def test_ctrl_c_before_the_parser_is_there(desk, start, tmp_path_factory):
    marker = tmp_path_factory.mktemp("marker") / "held"
    process = start("plan", "model.onnx", code=("-c", HOLD.format(module="argparse", marker=str(marker), wait=WAIT)))
    while not marker.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted; nothing was written\n")


def test_ctrl_c_is_python_s_own_again_behind_the_block():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with ends_at_once():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_so_behind_a_failure_as_well():
    with pytest.raises(ImportError), ends_at_once():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_ctrl_c_goes_on_ignoring_it(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ends_at_once():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_may_call_it():
    seen = []

    def called() -> None:
        with ends_at_once():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=called)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
