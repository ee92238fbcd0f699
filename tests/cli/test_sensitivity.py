"""`onnxq sensitivity`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import json
import signal
import sys
import time

import pytest

COMMAND = ("sensitivity", "model.onnx", "--calib", "calib.npz", "--num-samples", 32, "--eval", "eval.npz")
SHORT = (*COMMAND, "--eval-samples", 40)


class TestOutput:
    def test_a_table_of_groups_the_most_sensitive_first(self, desk):
        text = desk.run(*SHORT).out
        assert text.startswith("11 groups: one group quantized, all else FP32, on 40 evaluation samples")
        rows = [line.split() for line in text.splitlines() if " Conv " in line]
        assert [row[0] for row in rows] == [str(place) for place in range(1, 12)]
        figures = [float(row[7]) for row in rows]
        assert figures == sorted(figures)

    def test_both_modes(self, desk):
        text = desk.run(*SHORT, "--mode", "both").out
        assert "SQNR alone" in text
        assert "SQNR without" in text

    def test_blocks(self, desk):
        assert desk.run(*SHORT, "--groups", "blocks").out.startswith("5 groups: ")

    def test_the_metric_that_ranks(self, desk):
        text = desk.run(*SHORT, "--metric", "kl", "--metric", "top1").out
        assert "All groups quantized: KL" in text

    def test_a_metric_of_the_users_own(self, desk):
        (desk / "own.py").write_text(
            "def right(outputs, fp32, labels):\n    return outputs['logits'].argmax(1) == labels\n"
        )
        text = desk.run(*SHORT, "--metric", "own.py:right").out
        assert "own.py:right" in text
        assert "FP32 1" in text

    def test_json(self, desk):
        data = json.loads(desk.run(*SHORT, "--json", "--mode", "both").out)
        assert (data["samples"], data["data"], data["metrics"]) == (40, "evaluation", ["sqnr", "cosine", "top1"])
        assert len(data["ranks"]) == 11
        assert data["ranks"][0]["without"]["logits"]["sqnr"] > data["full"]["figures"]["logits"]["sqnr"]

    def test_files_of_every_kind(self, desk):
        outcome = desk.run(*SHORT, "-q", "--out", "r.json", "r.csv", "--out", "r.svg", "r.png")
        assert outcome.out == outcome.err == ""
        files = desk.files()
        assert files["r.svg"].startswith(b"<?xml")
        assert files["r.png"].startswith(b"\x89PNG")
        assert b"model: 11 groups, 40 samples" in files["r.svg"]
        rows = list(csv.DictReader(files["r.csv"].decode().splitlines()))
        data = json.loads(files["r.json"])
        assert [row["group"] for row in rows] == [rank["group"]["name"] for rank in data["ranks"]]
        assert set(files) == {"model.onnx", "calib.npz", "eval.npz", "r.json", "r.csv", "r.svg", "r.png"}

    def test_the_same_bytes_whatever_the_number_of_jobs(self, desk):
        for jobs in (1, 3):
            desk.run(*SHORT, "-q", "--batch-size", 8, "--jobs", jobs, "--out", f"{jobs}.json", f"{jobs}.svg")
        assert (desk / "1.json").read_bytes() == (desk / "3.json").read_bytes()
        assert (desk / "1.svg").read_bytes() == (desk / "3.svg").read_bytes()

    def test_a_plan_says_what_the_full_quantization_is(self, desk):
        plan = json.loads(desk.run("plan", "model.onnx", "--json").out)
        for row in plan["decisions"]:
            if row["node"].startswith("/stem"):
                row["spec"] = None
        (desk / "plan.json").write_text(json.dumps(plan))
        assert desk.run(*SHORT, "--plan", "plan.json").out == desk.run(*SHORT, "--skip", "/stem/*").out

    @pytest.mark.slow
    def test_a_first_ranking_comes_early(self, desk):
        assert "After 32 samples, most of the damage is in '/" in desk.run(*COMMAND).err


class TestInterruption:
    RUN = (*COMMAND, "--mode", "both", "--batch-size", 1, "--jobs", 1, "--out", "r.json")

    @pytest.fixture
    def begun(self, desk, start):
        """A run that has kept something."""
        process = start(*self.RUN)
        end = time.monotonic() + 60
        while not (desk / "r.json.partial").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        return process

    @pytest.mark.slow
    def test_a_killed_run_goes_on(self, desk, begun):
        begun.kill()
        begun.communicate(timeout=60)
        desk.run(*self.RUN, "-q", "--resume")
        resumed = (desk / "r.json").read_bytes()
        assert not (desk / "r.json.partial").exists()
        desk.run(*self.RUN, "-q")
        assert (desk / "r.json").read_bytes() == resumed

    @pytest.mark.slow
    def test_ctrl_c_says_how_to_go_on(self, desk, begun):
        begun.send_signal(signal.SIGINT)
        _, err = begun.communicate(timeout=60)
        assert err.endswith("interrupted; 'r.json.partial' has what was measured: go on with --resume\n")
        assert (begun.returncode, (desk / "r.json").exists()) == (130, False)

    @pytest.mark.slow
    def test_without_resume_it_starts_again_and_says_so(self, desk, begun):
        begun.kill()
        begun.communicate(timeout=60)
        err = desk.run(*SHORT, "--out", "r.json").err
        assert "'r.json.partial' of an interrupted run is given up. --resume would have gone on from it." in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "sqrn"], r"Unknown metric 'sqrn'\. Choose one of: sqnr, cosine.* Did you mean 'sqnr'\?"),
        (["--metric", "own.py:f"], r"There is no file 'own\.py' with the metric 'own\.py:f'\."),
        (["--mode", "allone"], r"Unknown mode 'allone'\. Choose one of: alone, without, both\. Did you mean 'alone'"),
        (["--groups", "layers"], r"Unknown kind of groups 'layers'\. Choose one of: kernels, blocks\."),
        (["--jobs", "0"], r"The jobs must be a whole number above 0\. Got 0\."),
        (["--out", "r.txt"], r"The output 'r\.txt' must end in \.json, \.csv, \.svg or \.png\."),
        (["--out", "r.csv", "./r.csv"], r"Two of --out are the same file\."),
        (["--out", "nowhere/r.csv"], r"The folder 'nowhere' of the output does not exist\."),
        (["--resume"], r"--resume goes on from a file beside --out\. Give both\."),
        (["--skip", "op:Cnov"], r"The selector 'op:Cnov' matches no node\. Did you mean 'Conv'\?"),
        (["--labels", "lable"], r"There is no array 'lable' for the labels\. Did you mean 'label'\?"),
        (["--calibrator", "entropi"], r"Unknown calibrator 'entropi'"),
    ],
)
def test_mistakes(desk, options, message):
    desk.refused([*SHORT, *options], message)


def test_a_metric_that_fails(desk):
    (desk / "own.py").write_text("def f(outputs, fp32, labels):\n    return outputs['logit'].max()\n")
    desk.refused([*SHORT, "-q", "--metric", "own.py:f"], r"error: 'own\.py' line 2 raises KeyError: 'logit'$")


def test_labels_that_are_missing(desk):
    desk.refused(["sensitivity", "model.onnx", "--calib", "calib.npz", "--metric", "top1"], r"'top1' needs labels")


def test_samples_of_data_that_are_not_given(desk):
    arguments = ["sensitivity", "model.onnx", "--calib", "calib.npz", "--eval-samples", 3]
    desk.refused(arguments, r"--eval-samples does nothing without --eval\. Give both, or --num-samples\.")


def test_charts_without_matplotlib(desk, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    desk.refused([*SHORT, "--out", "r.svg"], r"Charts need matplotlib: pip install 'onnxq\[plots\]'")
    desk.run(*SHORT, "-q", "--out", "r.csv")
