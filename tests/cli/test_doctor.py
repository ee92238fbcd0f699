"""`onnxq doctor`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import onnxq

pytestmark = pytest.mark.slow


def test_here_it_works(desk):
    before = desk.files()
    out = desk.run("doctor").out
    assert out.startswith(f"onnxq {onnxq.__version__} works.\n")
    assert "\n  ONNX Runtime      computes; providers: " in out
    assert desk.files() == before


def test_json(desk):
    found = json.loads(desk.run("doctor", "--json").out)
    assert found["works"] is True
    assert {"numpy", "onnx", "onnxruntime", "tensorrt-rtx"} <= {package["name"] for package in found["packages"]}


def test_one_broken_package_is_named_and_the_exit_code_is_1(desk, start):
    """numpy, without which nothing else runs either: it is told all the same."""
    (desk / "numpy").mkdir()
    (desk / "numpy" / "__init__.py").write_text("raise ImportError('libopenblas.so: cannot open')")
    path = os.pathsep.join([str(desk.folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "onnxq", "doctor"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"onnxq {onnxq.__version__}: something is wrong with ")
    assert "ImportError: libopenblas.so: cannot open\n" in done.stdout
