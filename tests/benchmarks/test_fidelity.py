"""The pure parts of benchmarks/fidelity.py: who gains how much, and which rows are kept."""

import sys
from pathlib import Path

import pytest
from tests.fixes import TOYS, shelved

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from fidelity import gains, keep, kept, main  # noqa: E402
from runners.task import recipe_of  # noqa: E402
from table import Row  # noqa: E402
from tools import Job, Onnxq, find_tools  # noqa: E402

ROWS = [
    Row("a", "onnxq", sqnr_db=20.0),
    Row("a", "onnxq-fixes-auto", sqnr_db=25.0, seconds=61.2, note="bias-correction"),
    Row("a", "modelopt-max", sqnr_db=19.0),
    Row("a", "modelopt-entropy", sqnr_db=21.0),
    Row("b", "onnxq", sqnr_db=30.0),
    Row("b", "onnxq-fixes-auto", sqnr_db=32.0, seconds=3.0),
    Row("b", "modelopt-max", note="fails: no such operator"),
    Row("b", "modelopt-entropy", sqnr_db=64.0, int8=0, computes=10),
    Row("c", "onnxq", note="fails: no model"),
]


def test_auto_is_held_against_the_better_of_no_fix_and_of_modelopts_methods():
    lines = gains(ROWS).splitlines()
    assert lines[2] == "| a | 20.0 | 21.0 | 25.0 | +4.0 | 61 | bias-correction |"
    assert lines[3] == "| b | 30.0 | - | 32.0 | +2.0 | 3 |  |"
    assert lines[-1] == "Of 2 models: on average +3.0 dB, at least +2.0 dB; the bar is +3.0 dB, and never below 0."


def test_without_figures_there_is_nothing_to_tell():
    assert gains(ROWS[-1:]) == ""


def test_rows_are_kept(tmp_path):
    assert kept(None) == kept(tmp_path / "rows") == []
    for row in ROWS:
        keep(tmp_path / "rows", row)
    assert kept(tmp_path / "rows") == ROWS


@pytest.mark.parametrize(("method", "fixes"), [("fixes-auto", "auto"), ("fixes-first-layer", "first-layer")])
def test_a_method_can_be_a_fix(method, fixes):
    assert recipe_of(method) == {"fixes": fixes}
    (tool,) = find_tools([f"onnxq-{method}"], {}, "python")
    assert isinstance(tool, Onnxq)
    assert f"--fixes {fixes}" in " ".join(tool.command(Job(Path("in.onnx"), Path("out.onnx"), Path("calib.npz"))))


def test_onnxq_says_which_fixes_it_took(tmp_path, monkeypatch):
    shelved(monkeypatch, *TOYS)
    (tool,) = find_tools(["onnxq-fixes-auto"], {}, "python")
    job = Job(Path("in.onnx"), tmp_path / "out.onnx", Path("calib.npz"))
    assert tool.note(job) == ""
    (tmp_path / "out.yaml").write_text("onnxq_recipe: 1\nfixes:\n- moves\n- helps\n")
    assert tool.note(job) == "moves, helps"


def test_an_unknown_tool_is_told(capsys):
    assert main(["--tools", "nobody"]) == 2
    assert capsys.readouterr().err.startswith("No tool is called 'nobody'.")
