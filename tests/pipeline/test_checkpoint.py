"""An unfinished file beside the output: gone on from where it fits, and refused where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core import journal
from onnxq.core.batch import Batch
from onnxq.errors import DataError
from onnxq.pipeline import checkpoint
from onnxq.pipeline.checkpoint import Checkpoint

FIRST = Batch({"x": np.zeros((1, 2), np.float32)}, 1, ("one",))
OTHER = Batch({"x": np.ones((1, 2), np.float32)}, 1, ("one",))


@pytest.fixture
def target(tmp_path, monkeypatch):
    """Of an output whose unfinished file remembers what came of "task"."""
    monkeypatch.setattr(journal, "PAUSE", 0.0)
    found = recalled(Checkpoint(tmp_path / "o.onnx", resume=False), 1)
    assert (found, [path.name for path in tmp_path.iterdir()]) == (1, ["o.onnx.partial"])
    return tmp_path / "o.onnx"


def recalled(begun, number, model="a", first=FIRST):
    """What came of "task", which is `number` unless it is known."""
    memory = begun.memory
    memory.open(model, first)
    return int(memory.recall("task", lambda: {"number": np.array(number)})["number"])


def test_resuming_goes_on_from_it(target):
    begun = Checkpoint(target, resume=True)
    assert (begun.is_kept, recalled(begun, 2), begun.is_kept) == (False, 1, True)


def test_otherwise_it_begins_anew(target):
    assert recalled(Checkpoint(target, resume=False), 2) == 2
    assert recalled(Checkpoint(target, resume=True), 3) == 2


def test_there_need_be_none(target):
    Checkpoint(target, resume=True).remove()
    begun = Checkpoint(target, resume=True)
    begun.remove()
    assert recalled(begun, 2) == 2


@pytest.mark.parametrize(
    ("model", "first", "what"),
    [("b", FIRST, "another model"), ("a", OTHER, "other samples, or with samples prepared in another way")],
    ids=["model", "samples"],
)
def test_one_of_others_is_refused(target, model, first, what):
    message = rf"o\.onnx\.partial' was begun with {what}: it cannot be resumed\. Leave out --resume to start again\.$"
    with pytest.raises(DataError, match=message):
        recalled(Checkpoint(target, resume=True), 2, model, first)


@pytest.mark.parametrize("library", ["__version__", "np.__version__"])
def test_so_is_one_of_another_version_since_it_may_have_found_something_else(target, monkeypatch, library):
    monkeypatch.setattr(f"{checkpoint.__name__}.{library}", "0.0.0")
    with pytest.raises(DataError, match=r"begun with other settings, or another version of onnxq or NumPy: it cannot"):
        recalled(Checkpoint(target, resume=True), 2)


def test_one_that_is_damaged_is_named(target):
    path = target.with_name("o.onnx.partial")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"o\.onnx\.partial' cannot be resumed: .* or was damaged\. Leave out --resume"):
        recalled(Checkpoint(target, resume=True), 2)


def test_one_that_cannot_be_read_is_named(target):
    path = target.with_name("o.onnx.partial")
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"o\.onnx\.partial' cannot be resumed: Is a directory\. Leave out --resume to"):
        recalled(Checkpoint(target, resume=True), 2)
