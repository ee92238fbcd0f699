"""What notebooks show: small tables without a way to smuggle markup in, and short representations."""

from __future__ import annotations

import pytest

import onnxq
from onnxq.core.table import SHOWN, Table


@pytest.fixture(scope="module")
def result():
    return onnxq.quantize("models/digits_resnet.onnx", "models/digits_calib.npz")


def test_names_are_escaped():
    html = Table("<a>", ("<b>",), (("<c>",),)).html
    assert "<a>" not in html and "&lt;a&gt;" in html
    assert "<c>" not in html and "&lt;c&gt;" in html


def test_long_tables_count_what_they_leave_out():
    html = Table("t", ("n",), tuple((n,) for n in range(SHOWN + 3))).html
    assert f"<td>{SHOWN - 1}</td>" in html
    assert f"<td>{SHOWN}</td>" not in html
    assert "and 3 more" in html


@pytest.mark.parametrize("what", ["plan", "statistics", "report"])
def test_each_value_shows_itself_as_a_table_and_on_one_line(result, what):
    value = getattr(result, what)
    assert value._repr_html_().startswith("<table>")
    assert "\n" not in repr(value)
    assert len(repr(value)) < 250


def test_the_lines_say_what_counts(result):
    assert repr(result.plan).startswith("Plan(tensorrt: ")
    assert "activations" in repr(result.plan)
    assert repr(result.statistics) == f"Statistics({len(result.statistics.tensors)} tensors on 192 samples)"
    assert repr(result.report).startswith("Report(11 of 11 Conv, 4 of 4 Add in INT8; SQNR ")
    assert repr(result).startswith("Result(")
    assert repr(result.report) in repr(result)


def test_the_table_of_a_result_names_every_operator_and_refusal(result):
    shown = result._repr_html_()
    assert all(f"<td>{op}</td>" in shown for op in result.report.quantized)
    assert shown.count("<table>") == 2
    assert "Not quantized" in shown
