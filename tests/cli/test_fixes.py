"""`--fixes`, with fixes made for tests on the shelf."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.fixes import TOYS, shelved

GIVEN = ("--calib", "calib.npz", "--eval", "eval.npz")
COARSE = ("--preset", "naive")
"""Weights have one scale, so there is much to win back."""


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    return shelved(monkeypatch, *TOYS)


def test_none_is_as_if_nothing_was_said(desk):
    assert desk.quantize("--fixes", "none") == desk.quantize()


def test_none_takes_back_what_a_recipe_says(desk):
    (desk / "r.yaml").write_text("fixes: [helps]\n")
    fixed = desk.quantize("--recipe", "r.yaml")
    assert fixed == desk.quantize("--fixes", "helps") != desk.quantize()
    assert desk.quantize("--recipe", "r.yaml", "--fixes", "none") == desk.quantize()


def test_their_order_does_not_matter(desk):
    assert desk.quantize("--fixes", "helps,moves") == desk.quantize("--fixes", "moves, helps")


@pytest.mark.parametrize("rest", ["fp32", "fp16"])
def test_the_saved_recipe_has_what_auto_chose_and_makes_the_same_bytes(desk, rest):
    chosen = desk.quantize(*COARSE, "--fixes", "auto", "--rest", rest, "--save-recipe", "r.yaml")
    assert "\nfixes:\n- helps\n" in (desk / "r.yaml").read_text()
    assert desk.quantize("--recipe", "r.yaml") == chosen


def test_the_report_says_what_each_gained_or_why_it_was_not_taken(desk):
    said = desk.run("quantize", "model.onnx", "out.onnx", *GIVEN, *COARSE, "--fixes", "auto").out
    lines = " ".join(said.split())
    assert "calibration samples that none of them saw; without any the SQNR is" in lines
    assert "not taken: it gained nothing" in lines
    assert "idle 0.0 s not taken: there is nothing that it could change" in lines
    assert "Without and with fixes, 'logits' on" in lines
    assert "top-1" in lines


def test_json_has_the_same(desk):
    data = json.loads(desk.run("quantize", "model.onnx", "out.onnx", *GIVEN, *COARSE, "--fixes", "auto", "--json").out)
    fixes = data["fixes"]
    assert fixes["taken"] == ["helps"]
    assert [attempt["fix"] for attempt in fixes["attempts"]] == [fix.name for fix in TOYS]
    assert data["plain"]["figures"]["logits"]["sqnr"] < data["fidelity"]["figures"]["logits"]["sqnr"]


def test_verbose_tells_what_they_did(desk):
    outcome = desk.run("quantize", "model.onnx", "out.onnx", *GIVEN, "--fixes", "idle,helps", "-v")
    assert "idle: no such operator\n" in outcome.err
    assert "helps: all biases\n" in outcome.err


def test_the_page_has_a_section_of_its_own_and_no_clock(desk):
    pages = []
    for name in ("one.html", "two.html"):
        desk.quantize(*COARSE, "--fixes", "auto", "--report", name)
        pages.append((desk / name).read_text())
    assert '<section id="fixes">' in pages[0]
    assert "no: it gained nothing" in pages[0]
    assert pages[0].replace("one.html", "two.html") == pages[1]


def test_the_page_compares_tensors_that_mean_the_same(desk):
    """One fix quadruples tensors: held against those of the model as it came, they would be far off."""
    desk.quantize("--fixes", "moves", "--rest", "fp32", "--report", "page.html")
    rows = (desk / "page.html").read_text().split('data-head="SQNR">')[2:]
    figures = [float(text) for row in rows if (text := row.partition("<")[0])]
    assert len(figures) > 10
    assert min(figures) > 25.0


def test_a_time_limit_drops_what_does_not_come_to_its_end(desk):
    assert desk.quantize("--fixes", "helps", "--time-limit", "0.001") == desk.quantize()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fixes", "help"], r"Unknown fix 'help'\. Choose one of: breaks, moves, .* Did you mean 'helps'\?"),
        (["--fixes", "helps,"], r"Unknown fix ''\. Choose one of: "),
        (["--fixes", "helps", "--no-int8"], r"Without INT8 there is nothing that fixes could win back\."),
        (
            ["--fixes", "none", "--time-limit", "9"],
            r"--time-limit does nothing without a budget or fixes\.",
        ),
        (["--fixes", "helps", "--time-limit", "0"], r"The time limit must be above 0 seconds\. Got 0\.0\."),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(desk, options, message):
    desk.refuses_to_quantize(message, options=options)


def test_one_that_breaks_its_promise_fails(desk):
    desk.refuses_to_quantize(r"The fix 'breaks' changed the output 'logits'", options=["--fixes", "breaks"], code=1)


def test_statistics_are_no_samples(desk):
    desk.run("calibrate", "model.onnx", "s.npz", "--calib", "calib.npz", "-q")
    desk.refused(
        ["quantize", "model.onnx", "out.onnx", "--stats", "s.npz", "--fixes", "auto"],
        r"Fixes look at the calibration samples more than once\. Give these with --calib, .* leave out the fixes: ",
    )


def test_calibrate_says_that_fixes_are_not_in_its_statistics(desk):
    (desk / "r.yaml").write_text("fixes: auto\n")
    given = ("calibrate", "model.onnx", "s.npz", "--calib", "calib.npz")
    outcome = desk.run(*given, "--recipe", "r.yaml")
    assert "These are statistics of the model without the recipe's fixes." in outcome.err
    with np.load(desk / "s.npz") as one:
        found = {name: one[name].tobytes() for name in one.files}
    desk.run(*given, "-q")
    with np.load(desk / "s.npz") as other:
        assert found == {name: other[name].tobytes() for name in other.files}


def test_a_plan_does_not_change_with_them(desk):
    (desk / "r.yaml").write_text("fixes: [moves]\n")
    plain = desk.run("plan", "model.onnx", "--json").out
    assert desk.run("plan", "model.onnx", "--json", "--recipe", "r.yaml").out == plain


def test_a_plan_of_the_users_goes_with_them(desk):
    (desk / "p.json").write_text(desk.run("plan", "model.onnx", "--json").out)
    fixed = desk.quantize("--fixes", "moves,helps", "--plan", "p.json")
    assert fixed == desk.quantize("--fixes", "moves,helps")


def test_sensitivity_leaves_out_what_changes_the_float_model(desk):
    outcome = desk.run("sensitivity", "model.onnx", "--calib", "calib.npz", "--fixes", "moves,helps")
    assert "Left out, since they change what is compared with: helps.\n" in outcome.err
