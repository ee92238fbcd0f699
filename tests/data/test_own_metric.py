"""Metrics of the user's own: found, called, checked; whatever they raise is one sentence."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from onnxq.core.batch import Batch
from onnxq.data.own_metric import is_script, own_metric
from onnxq.errors import DataError

BATCH = Batch({"x": np.zeros((4, 1))}, 3, ("a", "b", "c"), padded=1, labels=np.array([0, 1, 0]))
BEFORE = {"y": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [9.0, 9.0]], np.float32)}
AFTER = {"y": np.array([[2.0, 0.0], [3.0, 1.0], [1.0, 0.0], [9.0, 9.0]], np.float32)}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def write(body: str, name: str = "m.py") -> str:
        Path(name).write_text(f"import numpy as np\n\n\n{body}\n")
        return name

    return write


def figure(text: str) -> float:
    metric = own_metric(text)
    return metric.figure(metric.sums(BATCH, BEFORE, AFTER))


@pytest.mark.parametrize(("text", "script"), [("m.py", True), ("a/m.py:f", True), ("sqnr", False), ("a:b", False)])
def test_a_script_is_told_from_a_name(text, script):
    assert is_script(text) is script


class TestFigure:
    def test_is_the_mean_of_the_scores_of_all_samples(self, write):
        write("def score(outputs, fp32, labels):\n    return outputs['y'].argmax(axis=1) == labels")
        assert figure("m.py") == pytest.approx(2 / 3)

    def test_may_be_given_as_the_mean_of_a_batch(self, write):
        write("def right(outputs, fp32, labels):\n    return (outputs['y'].argmax(axis=1) == labels).mean()")
        assert figure("m.py:right") == pytest.approx(2 / 3)

    def test_may_compare_with_fp32(self, write):
        write("def score(outputs, fp32, labels):\n    return -abs(outputs['y'] - fp32['y']).max(axis=1)")
        assert figure("m.py") == pytest.approx(-(1 + 3 + 0) / 3)

    def test_of_batches_of_different_sizes_weighs_samples_alike(self, write):
        write("def score(outputs, fp32, labels):\n    return float(len(labels))")
        metric = own_metric("m.py")
        one = Batch({}, 1, ("d",), labels=np.array([0]))
        sums = metric.merge(metric.sums(BATCH, BEFORE, AFTER), metric.sums(one, BEFORE, AFTER))
        assert metric.figure(sums) == pytest.approx((3 * 3 + 1) / 4)


def test_repeated_samples_are_not_shown(write):
    write("def score(outputs, fp32, labels):\n    return [len(outputs['y']) == len(fp32['y']) == len(labels) == 3] * 3")
    assert figure("m.py") == 1.0


def test_its_name_is_that_of_the_script_and_the_function(write):
    write("def score(*_):\n    return 0", "other.py")
    assert own_metric("other.py").name == "other.py:score"


def test_a_changed_script_is_told_from_the_old_one(write):
    write("def score(*_):\n    return 0")
    before = own_metric("m.py")
    write("def score(*_):\n    return 1")
    assert own_metric("m.py").code != before.code


def test_it_is_never_called_twice_at_a_time(write):
    write(
        "import time\nbusy = []\n\n\ndef score(*_):\n    assert not busy\n    busy.append(1)\n    time.sleep(0.01)\n"
        "    busy.pop()\n    return 0"
    )
    metric = own_metric("m.py")
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(metric.sums, BATCH, BEFORE, AFTER) for _ in range(8)]:
            done.result()
    assert time.perf_counter() - start >= 0.08


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def score(o, f, l):\n    return o['z']", r"^'m\.py' line 5 raises KeyError: 'z'$"),
        (
            "def score(o, f, l):\n    return None",
            r"^'m\.py' returns object of shape \(\)\. A metric returns",
        ),
        (
            "def score(o, f, l):\n    return o['y']",
            r"^'m\.py' returns float32 of shape \(3, 2\)\. A metric",
        ),
        ("def score(o, f, l):\n    return []", r"^'m\.py' returns float64 of shape \(0,\)"),
        ("def score(o, f, l):\n    return 'good'", r"^'m\.py' returns <U4 of shape \(\)"),
        (
            "def score(o, f, l):\n    return [1, 2]",
            r"^The metric 'm\.py:score' returns 2 numbers for 3 samples\.",
        ),
        ("def score(o, f, l):\n    return np.nan", r"^'m\.py' returns NaN or Inf\. A metric returns finite numbers\.$"),
        ("def score():\n    return 1", r"^'m\.py' raises TypeError: score\(\) takes 0 positional arguments"),
        ("def scores(o, f, l):\n    return 1", r"^'m\.py' has no function 'score'\. Did you mean 'scores'\?"),
        ("1 / 0", r"^'m\.py' line 4 raises ZeroDivisionError: division by zero"),
        ("def score(:", r"^'m\.py' line 4 raises SyntaxError"),
    ],
)
def test_what_goes_wrong_is_one_sentence(write, body, message):
    write(body)
    with pytest.raises(DataError, match=message):
        figure("m.py")


def test_a_script_that_is_not_there():
    with pytest.raises(DataError, match=r"^There is no file 'nowhere\.py' with the metric 'nowhere\.py:f'\.$"):
        own_metric("nowhere.py:f")
