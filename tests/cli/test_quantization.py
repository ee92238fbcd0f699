"""The options that all commands share which quantize."""

from __future__ import annotations

import pytest

from onnxq.cli.parser import Parser

RANKING = ("sensitivity", "model.onnx", "--eval", "eval.npz", "--eval-samples", 16)


def options(command: str) -> set[str]:
    parser = Parser().commands[command]
    parser.fill()
    return {name for action in parser._actions for name in action.option_strings}


def test_sensitivity_takes_what_quantize_takes_but_what_is_about_the_written_model():
    written = {"--rest", "--io-types", "--no-int8", "--check", "--save-recipe", "--seed", "--report"}
    budget = {"--max-drop", "--min-sqnr", "--best-effort", "--time-limit", "--front"}
    assert options("quantize") - options("sensitivity") == written | budget


def test_a_ranking_from_statistics_is_that_from_the_samples(desk):
    desk.run("calibrate", "model.onnx", "stats.npz", "--calib", "calib.npz", "--rest", "fp32", "-q")
    assert desk.run(*RANKING, "--stats", "stats.npz").out == desk.run(*RANKING, "--calib", "calib.npz").out


def test_a_ranking_with_another_percentile(desk):
    usual = desk.run(*RANKING, "--calib", "calib.npz", "--calibrator", "percentile").out
    tight = desk.run(*RANKING, "--calib", "calib.npz", "--calibrator", "percentile", "--percentile", 90).out
    assert usual != tight


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--stats", "s.npz", "--calib", "calib.npz"], r"--stats takes the place of --calib and --num-samples\."),
        (
            ["--calib", "calib.npz", "--percentile", "99"],
            r"--percentile does nothing without --calibrator percentile\.",
        ),
        ([], r"There are no calibration data\. Give typical inputs with --calib"),
        (["--tensorrt-cache", "calib.npz"], r"'calib\.npz'.* calibration cache"),
    ],
    ids=["both", "percentile", "no data", "no cache"],
)
def test_mistakes(desk, given, message):
    desk.refused([*RANKING, *given], message)
