"""What `onnxq quantize` and `onnxq plan` do when all is well."""

from __future__ import annotations

import errno
import json
import os
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.cli.conftest import MODELS

import onnxq
from onnxq.catalog.calibrators import CALIBRATORS

COMMAND = ("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz")


def quantized_nodes(content: bytes | onnx.ModelProto) -> set[str]:
    """Nodes that read through DequantizeLinear."""
    graph = (onnx.load_from_string(content) if isinstance(content, bytes) else content).graph
    made = {output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    return {node.name for node in graph.node if made.intersection(node.input)}


def contents(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the remark where its weights were loaded from."""
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
    return model


def words(text: str) -> str:
    """The text in one line."""
    return " ".join(text.split())


# what is written


def test_the_model_is_valid_and_runs_and_has_the_interface_of_the_input(desk, calib):
    desk.quantize()
    onnx.checker.check_model(desk / "out.onnx", full_check=True)
    sessions = [
        ort.InferenceSession(desk / name, providers=["CPUExecutionProvider"]) for name in ("model.onnx", "out.onnx")
    ]
    interfaces = [[(v.name, v.shape, v.type) for v in (*s.get_inputs(), *s.get_outputs())] for s in sessions]
    assert interfaces[0] == interfaces[1]
    before, after = (session.run(["logits"], {"image": calib["image"]})[0] for session in sessions)
    assert 10 * np.log10(np.sum(before**2) / np.sum((before - after) ** 2)) > 35


def test_nothing_but_the_output_is_touched(desk):
    before = desk.files()
    written = desk.quantize("--eval", "eval.npz")
    assert desk.files() == before | {"out.onnx": written}


def test_an_old_output_is_replaced(desk):
    (desk / "out.onnx").write_bytes(b"the old one" * 1_000_000)
    replaced = desk.quantize()
    (desk / "out.onnx").unlink()
    assert desk.quantize() == replaced


def test_paths_may_hold_spaces_and_any_letters(desk):
    expected = desk.quantize()
    folder = desk / "mein Ordner ü 模型"
    folder.mkdir()
    shutil.move(desk / "model.onnx", folder / "модель 1.onnx")
    shutil.move(desk / "calib.npz", folder / "données d'étalonnage.npz")
    output = folder / "-out put é.onnx"
    desk.run("quantize", folder / "модель 1.onnx", output, "--calib", folder / "données d'étalonnage.npz", "-q")
    assert output.read_bytes() == expected


def test_a_relative_path_up_the_tree_works(desk, monkeypatch):
    expected = desk.quantize()
    (desk / "inner").mkdir()
    monkeypatch.chdir(desk / "inner")
    desk.run("quantize", "../model.onnx", "../other.onnx", "--calib", "../calib.npz", "-q")
    assert (desk / "other.onnx").read_bytes() == expected


def test_weights_may_lie_in_another_file(desk):
    expected = onnx.load_from_string(desk.quantize())
    model = onnx.load(desk / "model.onnx")
    onnx.save(model, desk / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = desk.files()
    assert "weights.bin" in before
    written = desk.quantize()
    assert contents(onnx.load_from_string(written)) == expected
    assert desk.files() == before | {"out.onnx": written}


def test_a_model_beyond_the_limit_of_protobuf_puts_its_weights_beside_it(desk, monkeypatch):
    """The limit is lowered, so that the model lies beyond it."""
    expected = onnx.load_from_string(desk.quantize())
    (desk / "out.onnx").unlink()
    monkeypatch.setattr("onnxq.onnx_io.model_file.PROTOBUF_LIMIT", 50_000)
    before = desk.files()
    desk.quantize()
    assert desk.files().keys() - before.keys() == {"out.onnx", "out.onnx.data"}
    assert (desk / "out.onnx").stat().st_size < 100_000
    assert contents(onnx.load(desk / "out.onnx")) == expected
    ort.InferenceSession(desk / "out.onnx", providers=["CPUExecutionProvider"])


def test_a_disk_that_fills_up_beyond_the_limit_of_protobuf_leaves_nothing(desk, monkeypatch):
    def fail(model, path, **options):
        path.write_bytes(b"a part of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("onnxq.onnx_io.model_file.PROTOBUF_LIMIT", 50_000)
    monkeypatch.setattr("onnx.save_model", fail)
    desk.refused(COMMAND, "'out.onnx' cannot be written: No space left on device")


# the same result


def test_every_run_writes_the_same_bytes(desk):
    assert desk.quantize() == desk.quantize()


def test_the_batch_size_changes_no_byte(desk):
    written = {desk.quantize("--batch-size", size) for size in (1, 7, 32, 1000)}
    assert len(written) == 1


@pytest.mark.parametrize("calibrator", [choice.name for choice in CALIBRATORS])
def test_the_order_of_the_samples_changes_no_byte(desk, calib, calibrator):
    expected = desk.quantize("--calibrator", calibrator)
    order = np.random.default_rng(1).permutation(len(calib["image"]))
    desk.save("calib.npz", image=calib["image"][order])
    assert desk.quantize("--calibrator", calibrator) == expected


def test_evaluation_data_and_the_seed_change_no_byte(desk):
    expected = desk.quantize()
    assert desk.quantize("--eval", "eval.npz", "--seed", "5") == expected


@pytest.mark.parametrize(("option", "distinct"), [("--calibrator", 4), ("--weight-calibrator", 3)])
def test_each_calibrator_works_and_is_not_another(desk, option, distinct):
    """Of the few numbers of a small weight, 99.99 % are all: there, percentile is max."""
    written = {choice.name: desk.quantize(option, choice.name) for choice in CALIBRATORS}
    assert len(set(written.values())) == distinct
    assert all(quantized_nodes(content) == quantized_nodes(written["max"]) for content in written.values())


def test_the_percentile_is_that_of_the_calibrator_of_this_name(desk):
    desk.refuses_to_quantize(
        "--percentile does nothing without --calibrator percentile", options=["--percentile", "90"]
    )
    assert desk.quantize("--calibrator", "percentile", "--percentile", "90") != desk.quantize(
        "--calibrator", "percentile"
    )


# what is printed


def test_the_summary_says_what_was_done_and_how_well_on_which_data(desk):
    out = words(desk.run(*COMMAND, "--eval", "eval.npz").out)
    for wanted in (
        "Quantized, from 192 calibration samples",
        "Fidelity to FP32, on 505 evaluation samples",
        "top-1 FP32",
        "top-1 INT8",
        "Not quantized",
        "The rest is FP16, with 1 cast; nothing has to stay in FP32",
        "dB",
    ):
        assert wanted in out
    assert "Conv 11 11" in out


def test_the_summary_says_when_there_were_no_evaluation_data(desk):
    out = words(desk.run(*COMMAND).out)
    assert "Fidelity to FP32, on 64 calibration samples; give others with --eval" in out
    assert "top-1" not in out


def test_only_verbose_names_the_nodes_that_stay_in_float(desk):
    assert "/head/Gemm" not in desk.run(*COMMAND).out
    assert "/head/Gemm" in desk.run(*COMMAND, "-v").out


def test_quiet_prints_nothing(desk):
    outcome = desk.run(*COMMAND, "--eval", "eval.npz", "-q")
    assert (outcome.out, outcome.err) == ("", "")


def test_no_progress_bar_is_drawn_where_no_terminal_is(desk):
    assert desk.run(*COMMAND).err == ""


def test_json_is_the_report(desk):
    outcome = desk.run(*COMMAND, "--eval", "eval.npz", "--json")
    report = json.loads(outcome.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert report.keys() == set(onnxq.Report.__dataclass_fields__)
    assert report["quantized"]["Conv"] == [11, 11]
    assert report["calibration_samples"] == 192
    assert report["data"] == "evaluation"
    assert report["fidelity"]["samples"] == 505
    figures = report["fidelity"]["figures"]["logits"]
    assert figures["sqnr"] > 35
    assert figures["top1"] >= report["fidelity"]["baselines"]["logits"]["top1"] - 0.5
    assert report["sizes"][0] == (desk / "model.onnx").stat().st_size
    assert report["sizes"][1] == (desk / "out.onnx").stat().st_size
    assert {"op", "reason", "nodes"} == report["refused"][0].keys()


def test_labels_are_found_by_themselves_or_named(desk):
    found = json.loads(desk.run(*COMMAND, "--eval", "eval.npz", "--json").out)
    named = json.loads(desk.run(*COMMAND, "--eval", "eval.npz", "--labels", "label", "--json").out)
    assert found["fidelity"]["figures"]["logits"]["top1"] > 95
    assert named["fidelity"] == found["fidelity"]


# what is left out


@pytest.mark.parametrize(
    ("pattern", "skipped"),
    [
        ("/stem/stem.0/Conv", {"/stem/stem.0/Conv"}),
        ("/blocks/blocks.1/conv?/Conv", {"/blocks/blocks.1/conv1/Conv", "/blocks/blocks.1/conv2/Conv"}),
        (r"re:blocks\.[01]/conv1", {"/blocks/blocks.0/conv1/Conv", "/blocks/blocks.1/conv1/Conv"}),
        ("op:Add", {f"/blocks/blocks.{i}/Add" for i in range(4)}),
    ],
)
def test_skipped_nodes_stay_in_float(desk, pattern, skipped):
    everything = quantized_nodes(desk.quantize())
    assert skipped <= everything
    left = quantized_nodes(desk.quantize("--skip", pattern))
    assert skipped.isdisjoint(left)
    assert {name for name in everything if "Conv" in name} - skipped <= left


def test_skip_takes_several_patterns_and_may_be_repeated(desk):
    together = desk.quantize("--skip", "op:Add", "/stem/*")
    assert together == desk.quantize("--skip", "op:Add", "--skip", "/stem/*")
    assert not any("Add" in name or "stem" in name for name in quantized_nodes(together))


# plans


@pytest.fixture
def plan(desk) -> dict:
    text = desk.run("plan", "model.onnx", "--json").out
    (desk / "plan.json").write_text(text)
    return json.loads(text)


def obey(desk, plan: dict) -> bytes:
    (desk / "plan.json").write_text(json.dumps(plan))
    return desk.quantize("--plan", "plan.json")


def test_a_plan_fed_back_changes_no_byte(desk, plan):
    assert desk.quantize("--plan", "plan.json") == desk.quantize()


def test_a_spec_set_to_null_leaves_its_edge_in_float(desk, plan):
    before = quantized_nodes(desk.quantize())
    for row in plan["decisions"]:
        if row["node"] == "/stem/stem.0/Conv":
            row["spec"] = None
    assert quantized_nodes(obey(desk, plan)) == before - {"/stem/stem.0/Conv"}


def test_a_line_deleted_leaves_its_edge_in_float(desk, plan):
    before = quantized_nodes(desk.quantize())
    plan["decisions"] = [row for row in plan["decisions"] if row["node"] != "/stem/stem.0/Conv"]
    assert quantized_nodes(obey(desk, plan)) == before - {"/stem/stem.0/Conv"}


def test_an_edge_that_the_rules_refuse_may_be_quantized_by_hand(desk, plan):
    for row in plan["decisions"]:
        if row["node"] == "/head/Gemm" and row["input"] < 2:
            row["spec"] = {"format": "int8", "role": "weight", "axis": 0} if row["input"] else {"format": "int8"}
    assert "/head/Gemm" in quantized_nodes(obey(desk, plan))


def test_a_weight_may_be_cut_otherwise(desk, plan):
    row = next(row for row in plan["decisions"] if row["spec"] and row["spec"]["role"] == "weight")
    del row["spec"]["axis"]
    model = onnx.load_from_string(obey(desk, plan))
    scale = next(t for t in model.graph.initializer if t.name == f"{row['tensor']}_scale")
    assert list(scale.dims) == []


def test_skip_is_taken_off_a_given_plan(desk, plan):
    assert quantized_nodes(desk.quantize("--plan", "plan.json", "--skip", "/stem/*")) == quantized_nodes(
        desk.quantize()
    ) - {"/stem/stem.0/Conv"}


def test_plan_reads_the_model_and_writes_nothing(desk):
    before = desk.files()
    out = desk.run("plan", "model.onnx").out
    assert "nodes quantized" in out
    assert "4 residual shortcuts" in out
    assert "/head/Gemm" in out
    assert desk.files() == before


def test_plan_can_skip(desk, plan):
    skipped = json.loads(desk.run("plan", "model.onnx", "--json", "--skip", "/stem/*").out)
    reasons = {r["reason"] for r in skipped["decisions"] if r["node"] == "/stem/stem.0/Conv" and r["input"] < 2}
    assert reasons == {"skipped on request"}


# the library


@pytest.fixture
def original() -> onnx.ModelProto:
    return onnx.load(MODELS / "digits_resnet.onnx")


def test_the_library_makes_what_the_command_writes(desk, calib, original):
    written = onnx.load_from_string(desk.quantize())
    feeds = [{"image": calib["image"][i : i + 50]} for i in range(0, len(calib["image"]), 50)]
    assert onnxq.quantize(original, calib).model == written
    assert onnxq.quantize(str(desk / "model.onnx"), str(desk / "calib.npz")).model == written
    assert onnxq.quantize(desk / "model.onnx", desk / "calib.npz").model == written
    assert onnxq.quantize(original, feeds).model == written
    assert onnxq.quantize(original, iter(feeds)).model == written
    assert onnxq.quantize(original, (feed for feed in feeds)).model == written


def test_the_library_saves_what_the_command_writes(desk, calib, original):
    onnxq.save(onnxq.quantize(original, calib).model, desk / "library.onnx")
    assert (desk / "library.onnx").read_bytes() == desk.quantize()


def test_the_library_writes_nothing_and_prints_nothing_and_leaves_its_arguments_alone(desk, calib, original, capsys):
    before, model, array = desk.files(), original.SerializeToString(), calib["image"].copy()
    onnxq.quantize(original, calib)
    assert desk.files() == before
    assert original.SerializeToString() == model
    assert np.array_equal(calib["image"], array)
    assert tuple(capsys.readouterr()) == ("", "")


def test_a_generator_of_evaluation_feeds_is_measured_on(calib, original):
    report = onnxq.quantize(original, calib, evaluation=({"image": calib["image"][i : i + 1]} for i in range(3))).report
    assert (report.data, report.fidelity.samples) == ("evaluation", 3)


@pytest.mark.parametrize("nothing", [[], iter(())], ids=["list", "iterator"])
def test_no_feeds_are_a_mistake_for_calibration_and_evaluation(calib, original, nothing):
    with pytest.raises(onnxq.DataError, match="no calibration samples"):
        onnxq.quantize(original, nothing)
    with pytest.raises(onnxq.DataError, match="no samples"):
        onnxq.quantize(original, calib, evaluation=nothing)


def test_a_plan_made_by_the_library_can_be_changed_and_given_back(calib, original):
    first = onnxq.quantize(original, calib)
    again = onnxq.quantize(original, calib, plan=first.plan)
    less = onnxq.quantize(original, calib, plan=first.plan.without(["/stem/stem.0/Conv"]))
    assert again.model == first.model
    assert quantized_nodes(less.model) == quantized_nodes(first.model) - {"/stem/stem.0/Conv"}


def test_a_plan_of_another_model_is_refused_by_the_library_as_well(calib, original):
    made = onnxq.quantize(original, calib).plan
    other = onnx.ModelProto()
    other.CopyFrom(original)
    next(node for node in other.graph.node if node.op_type == "Gemm").name = "renamed"
    with pytest.raises(onnxq.PlanError, match="made for another model"):
        onnxq.quantize(other, calib, plan=made)


# the process


def test_help_shows_an_example(desk):
    for command in ("quantize", "plan"):
        outcome = desk.run(command, "--help")
        assert "example: onnxq" in outcome.out


def test_the_version_is_that_of_the_package(desk):
    assert desk.run("--version").out == f"onnxq {onnxq.__version__}\n"


@pytest.mark.slow
def test_the_module_can_be_run(desk, start):
    process = start(*COMMAND)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "Fidelity to FP32" in out
    assert (desk / "out.onnx").read_bytes() == desk.quantize()
