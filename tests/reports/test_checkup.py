"""A checkup as text: the verdict, and what does not work marked."""

from __future__ import annotations

import json
from dataclasses import replace

from onnxq.core.checkup import Checkup, Engine, Package
from onnxq.reports.checkup import checkup_json, checkup_text

ONNX = Package("onnx", "1.18", "1.23", version="1.20.1")
PILLOW = Package("pillow", "10", "13.0", "images", "images as samples")
RUNTIME = Engine("ONNX Runtime", True, "computes")
CHECKUP = Checkup("0.1.0", "3.11.7", "Linux x86_64", 1, 3 << 29, ("H100", "T4"), (ONNX, PILLOW), (RUNTIME,))

TEXT = """\
onnxq 0.1.0 works.

machine
  Python     3.11.7 on Linux x86_64
  processor  1 core, 1.5 GiB of memory
  GPU        H100, T4

packages
        installed  needed  tested
  onnx  1.20.1     >=1.18  1.23

extras
          installed  needed  tested
  pillow  -          >=10    13.0    images as samples: pip install 'onnxq[images]'

engines
  ONNX Runtime  computes"""


def test_the_whole_text():
    assert checkup_text(CHECKUP) == TEXT


def test_what_is_broken_is_named_first_and_marked():
    broken = replace(CHECKUP, packages=(replace(ONNX, fault="ImportError: libonnx.so"), PILLOW), gpus=())
    text = checkup_text(broken)
    assert text.startswith("onnxq 0.1.0: something is wrong with onnx.\n")
    assert "\n! onnx  1.20.1     >=1.18  1.23    ImportError: libonnx.so\n" in text
    assert "\n  GPU        none answers\n" in text


def test_what_is_missing_or_too_old_comes_with_its_install_line():
    missing = replace(CHECKUP, packages=(replace(ONNX, version=""), replace(PILLOW, version="9.5")))
    text = checkup_text(missing)
    assert text.startswith("onnxq 0.1.0: something is wrong with onnx, pillow.\n")
    assert "\n! onnx  -          >=1.18  1.23    pip install 'onnx>=1.18'\n" in text
    assert "\n! pillow  9.5        >=10    13.0    too old: pip install 'onnxq[images]'\n" in text


def test_an_engine_that_does_not_work():
    text = checkup_text(replace(CHECKUP, engines=(replace(RUNTIME, answers=False, text="it refuses"),)))
    assert text.startswith("onnxq 0.1.0: something is wrong with ONNX Runtime.\n")
    assert text.endswith("\n! ONNX Runtime  it refuses")


def test_without_metadata_it_says_so():
    text = checkup_text(replace(CHECKUP, packages=()))
    assert text.startswith("onnxq 0.1.0 is not installed as a package, so it is not known what it needs.\n")


def test_json():
    data = json.loads(checkup_json(CHECKUP))
    assert data["works"] is True
    assert data["engines"] == [{"title": "ONNX Runtime", "answers": True, "text": "computes"}]
