"""`onnxq quantize --max-drop` and `--min-sqnr`."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def eval_(desk):
    return ("--calib", "calib.npz", "--eval", "eval.npz")


def test_the_report_says_what_was_kept_and_at_what_price(desk, eval_):
    said = desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "45").out
    assert "Budget kept: sqnr at least 45 (45.00). sqnr is 45." in said
    assert "groups left in float for the budget" in said
    assert "compute in INT8" in said
    assert "left in float, to keep the budget" in said
    assert "skipped on request" not in said


def test_what_is_skipped_on_request_is_told_apart_from_what_the_budget_left(desk, eval_):
    said = desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "45", "--skip", "/head/Gemm").out
    assert "left in float, to keep the budget" in said
    assert "skipped on request" in said


def test_the_saved_recipe_makes_the_same_bytes(desk, eval_):
    searched = desk.quantize(*eval_[2:], "--min-sqnr", "45", "--save-recipe", "kept.yaml")
    assert desk.quantize("--recipe", "kept.yaml") == searched


def test_json_has_the_front(desk, eval_):
    said = desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "45", "--json").out
    budget = json.loads(said)["budget"]
    assert budget["met"] is True
    assert budget["reached"]["figure"] >= 45.0
    shares = [point["int8_share"] for point in budget["front"]]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("name", ["front.csv", "front.svg", "front.png"])
def test_the_front_is_written_as_its_name_says(desk, eval_, name):
    desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "45", "--front", name, "-q")
    begins = {"csv": b"int8_share,sqnr,float_groups\n", "svg": b"<?xml", "png": b"\x89PNG"}[name.rpartition(".")[2]]
    assert (desk / name).read_bytes().startswith(begins)


def test_nothing_is_written_where_the_budget_cannot_be_kept(desk, eval_):
    before = desk.files()
    outcome = desk.call(["quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "300", "--save-recipe", "r.yaml"])
    assert outcome.code == 2
    assert outcome.err.startswith("error: The budget cannot be kept: sqnr at least 300")
    assert desk.files() == before


def test_best_effort_writes_the_closest_and_says_so(desk, eval_):
    said = desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "300", "--best-effort").out
    assert "Budget NOT kept: sqnr at least 300" in said
    assert (desk / "out.onnx").exists()


def test_verbose_names_the_groups_in_float(desk, eval_):
    said = desk.run("quantize", "model.onnx", "out.onnx", *eval_, "--min-sqnr", "45", "-v").out
    assert "groups left in float for the budget: /" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "top1"], "--metric does nothing without a budget. Give --max-drop or --min-sqnr."),
        (["--best-effort"], "--best-effort does nothing without a budget."),
        (["--time-limit", "9"], "--time-limit does nothing without a budget or fixes. Give --max-drop, --min-sqnr or"),
        (["--front", "f.csv"], "--front does nothing without a budget."),
        (["--min-sqnr", "9", "--metric", "top1"], "--min-sqnr is a budget of SQNR. Leave out --metric, or give"),
        (["--min-sqnr", "9", "--plan", "p.json"], "A plan says what is in float, and leaves nothing to search."),
        (["--min-sqnr", "9", "--front", "f.pdf"], "The front 'f.pdf' must end in .csv, .svg or .png."),
        (["--min-sqnr", "9", "--front", "eval.npz"], "The output 'eval.npz'"),
        (["--max-drop", "lots"], "'lots' is no drop. Give a share such as 0.5%, or a number in the metric's unit."),
        (["--min-sqnr", "nan"], "The lowest sqnr must be a number. Got nan."),
        (["--max-drop", "1%", "--time-limit", "0"], "The time limit must be above 0 seconds. Got 0.0."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused_before_any_work(desk, eval_, options, message):
    before = desk.files()
    outcome = desk.call(["quantize", "model.onnx", "out.onnx", *eval_, *options])
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}"), outcome.err
    assert desk.files() == before
