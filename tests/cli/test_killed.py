"""A process that is stopped midway: the output is missing or the old one, whole, and nothing else lies about."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="sends signals")]

COMMAND = ("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz")
OLD = b"the old one"

HOLD = """
import sys, time
from pathlib import Path
import {module}
from onnxq.cli import main

def hold(*arguments, **options):
    result = original(*arguments, **options)
    Path({marker!r}).touch()
    time.sleep(60)
    return result

original = {module}.{function}
{module}.{function} = hold
sys.exit(main(sys.argv[1:]))
"""
"""Runs a command and holds it for a minute behind the first call of a function."""


@pytest.fixture
def held(desk, start, tmp_path_factory) -> Callable[[str, str], subprocess.Popen[str]]:
    """Starts COMMAND and returns as soon as it is held behind `module.function`."""

    def held(module: str, function: str) -> subprocess.Popen[str]:
        marker = tmp_path_factory.mktemp("marker") / "held"
        code = HOLD.format(module=module, function=function, marker=str(marker))
        process = start(*COMMAND, code=("-c", code))
        wait_until(marker.exists, process)
        return process

    return held


@pytest.fixture(params=[None, OLD], ids=["no old output", "an old output"])
def before(request, desk) -> dict[str, bytes]:
    """What lies in the folder, with or without the output of an earlier run."""
    if request.param:
        (desk / "out.onnx").write_bytes(request.param)
    return desk.files()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


HOLDS = [
    ("onnxq.pipeline.scaling", "measure"),
    ("os", "write"),  # the first bytes
    ("os", "fsync"),  # all bytes, but no name
]


@pytest.mark.parametrize(("module", "function"), HOLDS)
def test_sigkill_leaves_the_folder_as_it_was(desk, held, before, module, function):
    code, _, _ = stop(held(module, function), signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert desk.files() == before


@pytest.mark.parametrize(("module", "function"), HOLDS)
def test_ctrl_c_leaves_the_folder_as_it_was_and_says_so(desk, held, before, module, function):
    outcome = stop(held(module, function), signal.SIGINT)
    assert outcome == (130, "", "interrupted; nothing was written\n")
    assert desk.files() == before


def test_sigkill_amid_a_long_calibration_leaves_the_folder_as_it_was(desk, start, calib, before):
    """Without any hook: the process is killed while it computes."""
    np.savez(desk / "calib.npz", image=np.tile(calib["image"], (2000, 1, 1, 1)))
    files = desk.files()
    process = start(*COMMAND)
    wait_until(lambda: cpu_seconds(process.pid) > 4.0, process)  # loading takes about one
    code, out, err = stop(process, signal.SIGKILL)
    assert (code, out, err) == (-signal.SIGKILL, "", "")
    assert desk.files() == files


def test_ctrl_c_amid_a_long_calibration_leaves_the_folder_as_it_was(desk, start, calib):
    np.savez(desk / "calib.npz", image=np.tile(calib["image"], (2000, 1, 1, 1)))
    files = desk.files()
    process = start(*COMMAND)
    wait_until(lambda: cpu_seconds(process.pid) > 4.0, process)
    assert stop(process, signal.SIGINT) == (130, "", "interrupted; nothing was written\n")
    assert desk.files() == files


def test_an_output_is_whole_as_soon_as_it_has_its_name(desk, held):
    """Held behind the last step: what is there is the whole file, and the same as without any interruption."""
    expected = desk.quantize()
    (desk / "out.onnx").write_bytes(OLD)
    before = desk.files()
    stop(held("onnxq.onnx_io", "save"), signal.SIGKILL)
    assert desk.files() == before | {"out.onnx": expected}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
