"""The pure parts of benchmarks/: figures, the table, command lines, and measuring a process."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from bench import last_line  # noqa: E402
from cases import find_cases  # noqa: E402
from compare import parse  # noqa: E402
from figures import classes, percent_equal, pooled_sqnr, sqnr, sqnr_by_output  # noqa: E402
from measure import run  # noqa: E402
from runners.task import read_feeds  # noqa: E402
from table import Row, render  # noqa: E402
from tools import Job, find_tools  # noqa: E402

JOB = Job(Path("in.onnx"), Path("out.onnx"), Path("calib.npz"))


class TestFigures:
    def test_a_tenth_of_the_amplitude_as_noise_is_20_db(self):
        signal = np.ones((4, 3), np.float32)
        assert sqnr(signal, signal * 1.1) == pytest.approx(20, abs=1e-4)

    def test_equal_outputs_have_no_noise(self):
        assert sqnr(np.ones(3), np.ones(3)) == math.inf

    def test_a_silent_reference_has_no_signal(self):
        assert sqnr(np.zeros(3), np.ones(3)) == -math.inf

    def test_pooling_weighs_outputs_by_energy(self):
        reference = {"large": np.full(10, 100.0), "small": np.full(10, 0.01)}
        other = {"large": np.full(10, 100.0), "small": np.full(10, 0.02)}
        assert sqnr_by_output(reference, other) == {"large": math.inf, "small": pytest.approx(0)}
        assert pooled_sqnr(reference, other) == pytest.approx(80)

    def test_outputs_are_matched_by_position(self):
        assert sqnr_by_output({"a": np.ones(2)}, {"renamed": np.zeros(2)}) == {"a": pytest.approx(0)}

    def test_a_tool_that_drops_an_output_is_an_error(self):
        with pytest.raises(ValueError, match="zip"):
            sqnr_by_output({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)})

    def test_classes_ignore_the_ones_a_shape_ends_in(self):
        scores = np.zeros((2, 5, 1, 1))
        scores[0, 3], scores[1, 1] = 1, 1
        assert classes({"softmax": scores}).tolist() == [3, 1]

    def test_percent_equal(self):
        assert percent_equal(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4])) == 75


class TestTable:
    def test_values_have_their_digits_and_nothing_is_a_dash(self):
        row = Row("m", "onnxq", seconds=1.26, peak_mb=99.7, sqnr_db=25.84, accepted=True, int8=19, computes=20)
        last = render([row]).splitlines()[-1]
        assert last == "| m | onnxq | 1.3 | - | 100 | 25.8 | - | - | - | yes | 19/20 | - |  |"

    def test_numbers_stand_right(self):
        titles, rule, *_ = render([]).splitlines()
        assert titles.startswith("| model | tool | time, s |")
        assert rule.startswith("| --- | --- | ---: |")
        assert titles.count("|") == rule.count("|")

    def test_no_noise_at_all_is_exact(self):
        assert "| exact |" in render([Row("m", "t", sqnr_db=math.inf)])

    def test_notes_are_one_short_line_that_breaks_no_column(self):
        last = render([Row("m", "t", note="a | b\nc " + "x" * 500)]).splitlines()[-1]
        assert "a \\| b c xxx" in last
        assert last.endswith("x ... |")


class TestTools:
    def test_onnxq_is_run_by_its_command_line(self):
        (tool,) = find_tools(["onnxq"], {}, "python")
        assert (
            " ".join(tool.command(JOB))
            == "python -m onnxq quantize in.onnx out.onnx --calib calib.npz -q --save-recipe out.yaml"
        )

    def test_its_calibrator_and_percentile_follow_the_name(self):
        (tool,) = find_tools(["onnxq-percentile-99.9"], {}, "python")
        assert tool.command(JOB)[-4:] == ["--calibrator", "percentile", "--percentile", "99.9"]

    def test_a_fixed_batch_is_passed_on(self):
        onnxq, rival = find_tools(["onnxq", "modelopt-max"], {}, "python")
        job = Job(JOB.source, JOB.target, JOB.calib, batch_size=1)
        for tool in (onnxq, rival):
            command = tool.command(job)
            assert command[command.index("--batch-size") + 1] == "1"

    def test_rivals_run_in_their_own_environment(self):
        (tool,) = find_tools(["modelopt-entropy"], {"modelopt": "theirs"}, "ours")
        python, script, *rest = tool.command(JOB)
        assert (python, Path(script).name) == ("theirs", "with_modelopt.py")
        assert rest[-2:] == ["--method", "entropy"]

    @pytest.mark.parametrize("family", ["onnxq", "modelopt", "onnxruntime", "quark", "aimet"])
    def test_every_family_has_a_runner(self, family):
        assert (BENCHMARKS / "runners" / f"with_{family}.py").exists()

    def test_an_unknown_tool_lists_the_known(self):
        with pytest.raises(ValueError, match=r"No tool is called 'magic'. Choose from: onnxq"):
            find_tools(["magic"], {}, "python")


class TestFeeds:
    ARRAYS = {"x": np.arange(10).reshape(5, 2), "state": np.arange(5)}  # noqa: RUF012

    def test_samples_come_in_batches_and_the_rest_comes_last(self):
        assert [len(feed["x"]) for feed in read_feeds(self.ARRAYS, 2)] == [2, 2, 1]

    def test_whole_feeds_lose_the_stacking_axis(self):
        feeds = list(read_feeds(self.ARRAYS, None))
        assert [feed["x"].shape for feed in feeds] == [(2,)] * 5
        assert feeds[3]["state"] == 3


class TestMeasure:
    def test_time_memory_and_exit_status_are_those_of_the_command(self, tmp_path):
        code = "import sys, time; block = bytearray(80_000_000); time.sleep(0.2); print('said'); sys.exit(3)"
        figures = run([sys.executable, "-c", code], tmp_path / "log", timeout=60)
        assert figures["exit"] == 3
        assert not figures["late"]
        assert figures["seconds"] >= 0.2
        assert figures["peak_kb"] >= 78_000
        assert (tmp_path / "log").read_text() == "said\n"

    def test_a_command_that_takes_too_long_is_stopped(self, tmp_path):
        figures = run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", timeout=0.3)
        assert figures["late"]
        assert figures["seconds"] < 10


def test_the_last_line_that_says_something_is_told():
    assert last_line("Traceback\nValueError: why\n\n") == "ValueError: why"
    assert last_line("package.module.OddError: why") == "OddError: why"
    assert last_line("") == "no message"


def test_the_own_model_needs_no_zoo(monkeypatch):
    monkeypatch.delenv("ONNXQ_ZOO", raising=False)
    (case,) = find_cases()
    inputs, labels = case.load("eval", 7)
    assert {name: array.shape for name, array in inputs.items()} == {"image": (7, 1, 8, 8)}
    assert len(labels) == 7


def test_the_default_tools_are_known():
    asked = parse([])
    assert find_tools(asked.tools.split(","), {}, "python")
