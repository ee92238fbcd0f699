"""`onnxq quantize --fixes` after an interruption or a failure: what fixes had found is taken, and said to be there."""

from __future__ import annotations

import signal
import time

import numpy as np
import onnx
import pytest
from tests.fixes import shelved

from onnxq.catalog.fixes.second_order import SecondOrder
from onnxq.core import journal
from onnxq.errors import OutputError
from onnxq.onnx_io import save

COMMAND = ("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--fixes", "second-order", "-q")


class TestAProcess:
    """With a fix that takes seconds."""

    SLOW = tuple("adaround" if word == "second-order" else word for word in COMMAND)

    @pytest.fixture
    def stopped(self, desk, start):
        """One that Ctrl-C stops as soon as something is kept, with what it said."""
        process = start(*self.SLOW[:-1])
        end = time.monotonic() + 120
        while not (desk / "out.onnx.partial").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    @pytest.mark.slow
    def test_ctrl_c_says_how_to_go_on_and_that_ends_as_if_nothing_had_happened(self, desk, stopped):
        text = "interrupted; 'out.onnx.partial' has what was found: go on with --resume\n"
        assert stopped == (130, "", text)
        assert not (desk / "out.onnx").exists()
        desk.run(*self.SLOW, "--resume")
        resumed = (desk / "out.onnx").read_bytes()
        assert not (desk / "out.onnx.partial").exists()
        desk.run(*self.SLOW)
        assert (desk / "out.onnx").read_bytes() == resumed


@pytest.fixture
def quick(monkeypatch):
    """A fix with little to do, of which everything is kept at once."""
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    monkeypatch.setattr(journal, "SHARE", np.inf)
    shelved(monkeypatch, SecondOrder(places=256))


@pytest.fixture
def failed(desk, quick, monkeypatch):
    """A run whose output finds no room, with what it said."""

    def full(model, path):
        raise OutputError(f"The output '{path}' cannot be written: No space left on device.")

    with monkeypatch.context() as once:
        once.setattr("onnxq.onnx_io.save", full)
        outcome = desk.call(COMMAND)
    assert outcome.code == 2
    return outcome.err


def test_a_failure_behind_fixes_says_how_to_go_on(desk, failed, monkeypatch):
    kept = "'out.onnx.partial' has what was found before: then go on with --resume.\n"
    assert failed == f"error: The output 'out.onnx' cannot be written: No space left on device. {kept}"
    with monkeypatch.context() as once:
        once.setattr(SecondOrder, "_found", None)  # nothing is left to be found
        desk.run(*COMMAND, "--resume")
    assert desk.files().keys() == {"model.onnx", "calib.npz", "eval.npz", "out.onnx"}
    assert (desk / "out.onnx").read_bytes() == desk.quantize("--fixes", "second-order")


def test_without_resume_it_starts_again_and_says_so(desk, failed):
    outcome = desk.run(*COMMAND[:-1])
    assert "'out.onnx.partial' of an interrupted run is given up. --resume would have gone on from it." in outcome.err
    assert desk.files().keys() == {"model.onnx", "calib.npz", "eval.npz", "out.onnx"}


def test_without_fixes_it_is_left_alone(desk, failed):
    before = (desk / "out.onnx.partial").read_bytes()
    outcome = desk.run(*COMMAND[:-3])
    assert "is given up" not in outcome.err
    assert (desk / "out.onnx.partial").read_bytes() == before


def test_there_need_be_nothing_to_resume(desk, quick):
    assert desk.quantize("--fixes", "second-order", "--resume") == desk.quantize("--fixes", "second-order")
    assert desk.files().keys() == {"model.onnx", "calib.npz", "eval.npz", "out.onnx"}


def test_other_options_take_what_fits(desk, failed):
    """A longer time limit, say, is what a run is stopped for."""
    resumed = desk.quantize("--fixes", "second-order", "--resume", "--time-limit", 1000, "--calibrator", "max")
    assert resumed == desk.quantize("--fixes", "second-order", "--calibrator", "max")


def test_without_fixes_there_is_nothing_to_go_on_with(desk):
    text = r"error: --resume goes on with fixes, and there are none\. Give --fixes, or leave out --resume\."
    desk.refuses_to_quantize(text, options=["--resume"])
    desk.refuses_to_quantize(text, options=["--resume", "--fixes", "none"])


class TestRefused:
    def test_other_samples(self, desk, failed, calib):
        desk.save("other.npz", image=calib["image"] * np.float32(0.5))
        text = r"'out\.onnx\.partial' was begun with other samples, or with samples prepared in another way: it cannot"
        desk.refused([*COMMAND, "--resume", "--calib", "other.npz"], text)

    def test_another_model(self, desk, failed):
        model = onnx.load(desk / "model.onnx")
        weight = model.graph.initializer[0]
        weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 2, weight.name))
        save(model, desk / "model.onnx")
        desk.refused([*COMMAND, "--resume"], r"'out\.onnx\.partial' was begun with another model: it cannot be resumed")

    def test_something_else(self, desk, quick):
        (desk / "out.onnx.partial").write_text("{}")
        text = r"'out\.onnx\.partial' cannot be resumed: it holds nothing that fixes found, or was damaged\. Leave out"
        desk.refused([*COMMAND, "--resume"], text)
