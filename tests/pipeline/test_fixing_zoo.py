"""Real models with fixes: what they gain, that float models stay what they are, and that cores change no byte."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from tests.conftest import ZOO
from tests.zoo import preprocess

import onnxq
from onnxq import Recipe
from onnxq.catalog.fixes import FIXES

pytestmark = pytest.mark.zoo


@cache
def data(name, split, samples):
    inputs, _ = preprocess().load(name, split, samples)
    return inputs


def quantized(name, *fixes, calib, evaluation=0):
    held_out = data(name, "eval", evaluation) if evaluation else None
    path = ZOO / "models" / f"{name}.onnx"
    return onnxq.quantize(path, data(name, "calib", calib), Recipe(fixes=fixes), evaluation=held_out)


@pytest.mark.parametrize(
    ("name", "fixes", "calib", "gain"),
    [
        ("cifar10_resnet20", ("equalization", "first-layer", "full-range", "second-order"), 128, 4.0),
        ("ad_autoencoder_mlperf", ("equalization", "full-range", "reconstruction"), 64, 3.0),
    ],
)
def test_they_win_back_decibels_on_samples_that_nobody_has_seen(name, fixes, calib, gain):
    report = quantized(name, *fixes, calib=calib, evaluation=256).report
    plain, fixed = (
        np.mean([figures["sqnr"] for figures in one.figures.values()]) for one in (report.plain, report.fidelity)
    )
    assert fixed >= plain + gain


def test_a_detector_computes_in_float_what_it_did():
    report = quantized("fastestdet", "smoothquant", "equalization", "first-layer", "full-range", calib=8).report
    drifts = {attempt.fix: attempt.drift for attempt in report.fixes.attempts if attempt.drift is not None}
    assert drifts.keys() >= {"equalization", "full-range"}
    assert max(drifts.values()) < 1e-4


SCRIPT = """
import hashlib, os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[1])])
from tests.pipeline.test_fixing_zoo import quantized
made = quantized(sys.argv[2], *sys.argv[3:], calib=32).model
print(hashlib.sha256(made.SerializeToString()).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
def test_all_fixes_together_make_the_same_bytes_on_one_core_and_on_two():
    def digest(cores):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": str(cores), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SCRIPT, str(cores), "ad_autoencoder_mlperf", *(fix.name for fix in FIXES)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert digest(1) == digest(2) != ""
