"""The parts of benchmarks/calibration.py that need neither the zoo nor time."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import onnxq  # noqa: E402
from calibration import Stages, cut, digest, images, merged, parse, repeated, take_turns  # noqa: E402
from cases import find_cases  # noqa: E402


@pytest.fixture
def digits():
    (case,) = find_cases("digits_resnet")
    return case


def test_samples_are_repeated_where_there_are_too_few(digits):
    (array,) = repeated(digits, 400).values()
    assert array.shape == (400, 1, 8, 8)
    np.testing.assert_array_equal(array[192:384], array[:192])


def test_batches_hold_all_samples(digits):
    assert [len(feeds["image"]) for feeds in cut(repeated(digits, 70), 32)] == [32, 32, 6]


def test_competitors_take_turns_after_one_run_each():
    turns = []
    seconds = take_turns(2, lambda: turns.append("a") or 1.0, lambda: turns.append("b") or 2.0)
    assert ("".join(turns), seconds) == ("ababab", [[1.0, 1.0], [2.0, 2.0]])


def test_a_stage_is_timed_from_its_beginning(digits):
    clock = Stages()
    onnxq.calibrate(str(digits.model), repeated(digits, 8), execution=onnxq.Execution(observer=clock))
    assert 0 < clock.ended("calibrate") < clock.ended("prepare")


def test_parts_that_are_merged_have_the_digest_of_the_whole(digits):
    data = repeated(digits, 48)
    assert digest(merged(digits, data)) == digest(onnxq.calibrate(str(digits.model), data))


def test_images_are_written(tmp_path):
    pytest.importorskip("PIL")

    class Colours:
        """Stands in for a case with three channels."""

        def load(self, split, limit):
            return {"x": np.random.default_rng(0).random((limit, 3, 8, 8), np.float32)}, None

    assert len(list(images(tmp_path, Colours(), 25).glob("*.jpg"))) == 25


def test_an_unknown_question_is_a_mistake(capsys):
    with pytest.raises(SystemExit):
        parse(["--only", "speed,size"])
    assert "no question is called size" in capsys.readouterr().err
