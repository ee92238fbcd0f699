"""Fixes behind the scales: what they gain, and that a seed, the number of cores and a stop change nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from tests.net import Net

import onnxq
from onnxq import Checkpoint, Execution, Recipe
from onnxq.catalog import fixes as shelf
from onnxq.catalog.fixes.adaround import AdaRound
from onnxq.catalog.fixes.bias_correction import BiasCorrection
from onnxq.catalog.fixes.reconstruction import Reconstruction
from onnxq.catalog.fixes.second_order import SecondOrder
from onnxq.core.journal import Journal
from onnxq.core.memory import Memory
from onnxq.core.observer import Silent

MODELS = Path(__file__).parents[3] / "models"
MODEL = MODELS / "digits_resnet.onnx"
FIXES = (
    SecondOrder(places=2048),
    AdaRound(places=2048, steps=40, size=64),
    Reconstruction(steps=(12, 4)),
    BiasCorrection(places=4096),
)
NAMES = [fix.name for fix in FIXES]
every_fix = pytest.mark.parametrize("name", NAMES)


def arrays(name, samples):
    with np.load(MODELS / f"digits_{name}.npz") as archive:
        return {key: archive[key][:samples] for key in archive.files}


CALIB, EVAL, PLAINLY = arrays("calib", 192), arrays("eval", 300), Execution()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The same fixes with less work."""
    monkeypatch.setattr(shelf, "FIXES", FIXES)


def quantized(*names, model=MODEL, calib=CALIB, evaluation=EVAL, execution=PLAINLY):
    return onnxq.quantize(model, calib, Recipe(rest="fp32", fixes=names), evaluation=evaluation, execution=execution)


def sqnr(result):
    return result.report.fidelity.figures["logits"]["sqnr"]


def written(result):
    return result.model.SerializeToString()


@pytest.fixture(scope="module")
def plain():
    return onnxq.quantize(MODEL, CALIB, Recipe(rest="fp32"), evaluation=EVAL)


@pytest.fixture(scope="module")
def once():
    """The models as each fix makes them: made once, looked at by several tests."""
    return cache(quantized)


@pytest.mark.parametrize(("name", "gain"), [("second-order", 0.5), ("adaround", 0.2), ("bias-correction", 0.1)])
def test_it_brings_unseen_samples_closer(plain, once, name, gain):
    assert sqnr(once(name)) > sqnr(plain) + gain


def test_reconstruction_keeps_what_gains_on_samples_that_it_was_not_trained_with(plain, once):
    assert sqnr(once("reconstruction")) > sqnr(plain) - 0.1


@every_fix
def test_a_seed_gives_the_same_bytes(once, name):
    assert written(once(name)) == written(quantized(name))


@every_fix
def test_neither_batch_size_nor_order_of_the_samples_matter(once, name):
    order = np.random.default_rng(0).permutation(192)
    shuffled = {key: values[order] for key, values in CALIB.items()}
    other = quantized(name, calib=shuffled, execution=Execution(batch_size=24))
    assert written(other) == written(once(name))


SCRIPT = """
import hashlib, os, sys
cores, names = int(sys.argv[1]), sys.argv[2:]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from tests.catalog.fixes import test_behind_scales as here
here.shelf.FIXES = here.FIXES
print(hashlib.sha256(here.written(here.quantized(*names, evaluation=None))).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
@pytest.mark.parametrize("names", [("second-order", "reconstruction", "bias-correction"), ("adaround",)])
def test_the_number_of_cores_changes_no_byte(names):
    def digest(cores):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": str(cores), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SCRIPT, str(cores), *names]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert digest(1) == digest(2) != hashlib.sha256(b"").hexdigest()


class Impatient(Silent):
    """Stops the work at a later step of a fix."""

    def __init__(self):
        self.fixing, self.steps = False, []

    def begin(self, stage):
        self.fixing = stage in NAMES

    def advance(self, done, total):
        if self.fixing:
            self.steps.append((done, total))
            if done == 2:
                raise KeyboardInterrupt


@every_fix
def test_it_tells_how_far_it_is_and_can_be_stopped(name):
    observer = Impatient()
    with pytest.raises(KeyboardInterrupt):
        quantized(name, execution=Execution(observer=observer))
    assert list(dict.fromkeys(observer.steps))[:3] == [(k, observer.steps[0][1]) for k in range(3)]


class Counting(Memory):
    """Counts what is asked of it, and what of that was not known."""

    asked = done = 0

    def recall(self, task, work):
        def counted():
            self.done += 1
            return work()

        self.asked += 1
        return super().recall(task, counted)


@pytest.mark.parametrize("name", NAMES[:3])
def test_stopped_and_resumed_it_makes_the_same_bytes_without_doing_it_all_again(once, name, tmp_path, monkeypatch):
    monkeypatch.setattr("onnxq.core.journal.PAUSE", 0.0)
    monkeypatch.setattr("onnxq.core.journal.SHARE", np.inf)
    begun, resumed = (Checkpoint(tmp_path / "out.onnx", resume) for resume in (False, True))
    with pytest.raises(KeyboardInterrupt):
        quantized(name, execution=Execution(observer=Impatient(), memory=begun.memory))
    assert begun.is_kept
    memory = Counting(resumed.memory._begin)
    assert written(quantized(name, execution=Execution(memory=memory))) == written(once(name))
    assert memory.done == memory.asked - 2 > 0


SIMILAR = {
    "second-order": {"places": 64},
    "adaround": {"steps": 5},
    "reconstruction": {"rates": (0.003, 0.0002, 0.0001)},
}


@pytest.mark.parametrize("name", SIMILAR)
def test_what_was_found_with_another_parameter_or_on_other_samples_is_not_taken(name, monkeypatch):
    net, draw = Net(), np.random.default_rng(0)
    x = net.input("x", 4, 16, 8, 8)
    for number in range(2):
        weight = net.constant(f"w{number}", draw.standard_normal((16, 16, 3, 3)).astype(np.float32) / 12)
        bias = net.constant(f"b{number}", draw.standard_normal(16).astype(np.float32))
        x = net.node("Relu", net.node("Conv", x, weight, bias, pads=[1] * 4))
    few, others = ({"x": draw.standard_normal((32, 16, 8, 8)).astype(np.float32)} for _ in range(2))
    plainly = partial(quantized, name, model=net.model(x), evaluation=None)
    remembering = partial(plainly, execution=Execution(memory=Memory(lambda model, first: Journal())))
    before = written(remembering(calib=few))
    assert written(remembering(calib=others)) == written(plainly(calib=others)) != before
    fix = replace(next(fix for fix in FIXES if fix.name == name), **SIMILAR[name])
    monkeypatch.setattr(shelf, "FIXES", (fix,))
    assert written(remembering(calib=few)) == written(plainly(calib=few)) != before


@every_fix
def test_weights_of_several_readers_are_left_and_a_note_says_so(name):
    net = Net()
    draw = np.random.default_rng(0)
    x = net.input("x", 4, 16, 8, 8)
    shared = net.constant("w", draw.standard_normal((16, 16, 3, 3)).astype(np.float32) / 12)
    bias = net.constant("b", draw.standard_normal(16).astype(np.float32))
    first = net.node("Conv", x, shared, bias, out="c1", pads=[1] * 4)
    second = net.node("Conv", net.node("Relu", first), shared, bias, out="c2", pads=[1] * 4)
    own = net.constant("v", draw.standard_normal((16, 16, 1, 1)).astype(np.float32) / 4)
    model = net.model(net.node("Conv", net.node("Relu", second), own, bias, out="c3"))
    data = {"x": draw.standard_normal((32, 16, 8, 8)).astype(np.float32)}
    result = quantized(name, model=model, calib=data, evaluation=data)
    notes = result.report.fixes.attempts[0].notes
    assert "Conv 'c1' is left as it is: others read its weight 'w' as well." in notes
    weights = {tensor.name for tensor in result.model.graph.initializer}
    assert "b" in weights
