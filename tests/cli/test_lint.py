"""`onnxq lint`: what it prints, and its exit codes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from tests.cli.conftest import Desk, Outcome
from tests.net import Net


@pytest.fixture
def right(desk: Desk) -> str:
    net = Net()
    onnx.save(net.model(net.conv(net.pair(net.input()), "c")), desk / "right.onnx")
    return "right.onnx"


@pytest.fixture
def slow(desk: Desk) -> str:
    """Two convolutions of one float activation."""
    net = Net()
    net.conv(net.input(), "first")
    net.conv("x", "second")
    onnx.save(net.model("first", "second"), desk / "slow.onnx")
    return "slow.onnx"


@pytest.fixture
def wrong(desk: Desk) -> str:
    """A zero point, and a convolution with a float activation."""
    net = Net()
    net.conv(net.pair(net.input(), zero=np.int8(3)), "first")
    net.conv("x", "second")
    onnx.save(net.model("first", "second"), desk / "wrong.onnx")
    return "wrong.onnx"


def lint(desk: Desk, *arguments: str) -> Outcome:
    return desk.call(["lint", *arguments])


def test_a_right_model_is_praised(desk: Desk, right: str) -> None:
    assert lint(desk, right) == Outcome(0, "No rule is broken.\n", "")
    assert lint(desk, right, "--strict").code == 0


def test_warnings_are_no_failure(desk: Desk, slow: str) -> None:
    outcome = lint(desk, slow)
    assert (outcome.code, outcome.err) == (0, "")
    assert "0 errors, 2 warnings: the target accepts the model." in outcome.out


def test_unless_asked_for(desk: Desk, slow: str) -> None:
    assert lint(desk, slow, "--strict").code == 1


def test_errors_are_a_failure(desk: Desk, wrong: str) -> None:
    outcome = lint(desk, wrong)
    assert (outcome.code, outcome.err) == (1, "")
    assert "2 errors, 1 warning: the target refuses the model, or computes something else." in outcome.out


def test_a_rule_has_one_row_with_its_first_node_its_fix_and_its_source(desk: Desk, slow: str) -> None:
    printed = lint(desk, slow).out
    assert printed.count("half-quantized") == 1
    for part in (
        "warning",
        "first",
        "and 1 more",
        "'x', its input 0, in float",
        "Quantize activation",
        "TensorRT guide",
    ):
        assert part in printed
    assert "second" not in printed


def test_verbose_has_one_row_for_each_node(desk: Desk, slow: str) -> None:
    printed = lint(desk, slow, "-v").out
    assert printed.count("half-quantized") == 2
    assert "Conv 'second' reads 'x'" in printed


def test_errors_come_first(desk: Desk, wrong: str) -> None:
    printed = lint(desk, wrong).out
    assert printed.index("zero-point") < printed.index("half-quantized")


def test_quiet_prints_errors_only(desk: Desk, wrong: str, slow: str) -> None:
    printed = lint(desk, wrong, "-q").out
    assert "zero-point" in printed
    assert "half-quantized" not in printed
    assert lint(desk, slow, "-q") == Outcome(0, "", "")
    assert lint(desk, slow, "-q", "--strict") == Outcome(1, "", "")


def test_json_holds_every_finding(desk: Desk, wrong: str) -> None:
    outcome = lint(desk, wrong, "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 1
    assert (told["errors"], told["warnings"]) == (2, 1)
    assert [finding["node"] for finding in told["findings"]] == ["x_Q", "x_DQ", "second"]
    assert set(told["findings"][0]) == {"severity", "rule", "node", "text", "fix", "source"}


def test_a_float_model_is_one_warning(desk: Desk) -> None:
    outcome = lint(desk, "model.onnx")
    assert outcome.code == 0
    assert "this one has none, and runs in float" in outcome.out
    assert "the model" in outcome.out


def test_what_onnxq_writes_breaks_no_rule(desk: Desk) -> None:
    desk.quantize()
    assert lint(desk, "out.onnx", "--strict") == Outcome(0, "No rule is broken.\n", "")


def test_nothing_is_written(desk: Desk, wrong: str) -> None:
    before = desk.files()
    lint(desk, wrong)
    assert desk.files() == before


def test_a_file_that_is_no_model_has_exit_code_2(desk: Desk) -> None:
    desk.refused(["lint", "calib.npz"], r"'calib\.npz' is no readable ONNX model")
    desk.refused(["lint", "missing.onnx"], r"There is no file 'missing\.onnx'")


def test_an_unknown_target_has_exit_code_2(desk: Desk, right: str) -> None:
    desk.refused(["lint", right, "--target", "tensorflow"], "tensorrt")


def test_names_that_look_like_markup_are_printed_as_they_are(desk: Desk) -> None:
    net = Net()
    net.node("Conv", net.input(), net.weight("w"), out="y", name="a[/z]")
    onnx.save(net.model("y"), desk / "odd.onnx")
    assert "Conv 'a[/z]' reads" in lint(desk, "odd.onnx").out
