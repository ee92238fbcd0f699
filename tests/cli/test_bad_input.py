"""What the command line refuses: each message names the thing, the value and the fix, and nothing is written."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnxq.errors import VerifyError

Plan = dict[str, Any]


def save_model(
    desk, *nodes: onnx.NodeProto, inputs=("x",), shape=(1, 16), opset: int = 19, **weights: np.ndarray
) -> None:
    """Writes model.onnx: nodes from `inputs` of one shape to the output y."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, desk / "model.onnx")


# models


def test_a_missing_model_is_named(desk):
    desk.refused(["quantize", "nope.onnx", "out.onnx", "--calib", "calib.npz"], r"There is no file 'nope\.onnx'")


def test_a_folder_is_no_model(desk):
    (desk / "folder").mkdir()
    desk.refused(["quantize", "folder", "out.onnx", "--calib", "calib.npz"], "'folder' is a folder, not an ONNX model")


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x08\x07\x12", bytes(range(7, 71)), b"PK\x03\x04"])
def test_a_file_that_is_no_onnx_is_named(desk, content):
    (desk / "model.onnx").write_bytes(content)
    desk.refuses_to_quantize(r"'model\.onnx' is no (readable )?ONNX model")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_a_model_that_was_cut_off_is_refused(desk, share):
    content = (desk / "model.onnx").read_bytes()
    (desk / "model.onnx").write_bytes(content[: int(share * len(content))])
    desk.refuses_to_quantize(r"'model\.onnx' is no readable ONNX model, or was cut off")


def test_a_model_whose_external_weights_are_missing_is_refused(desk):
    model = onnx.load(desk / "model.onnx")
    onnx.save(model, desk / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (desk / "weights.bin").unlink()
    desk.refuses_to_quantize(r"weights\.bin")


def test_a_model_that_onnxruntime_refuses_is_refused_with_its_words(desk):
    save_model(desk, helper.make_node("Conv", ["x", "nowhere"], ["y"]))
    desk.save("calib.npz", x=np.ones((4, 16), np.float32))
    desk.refuses_to_quantize("The model cannot be (read|run)", "nowhere")


def test_a_quantized_model_is_not_quantized_again(desk):
    desk.quantize()
    (desk / "out.onnx").rename(desk / "model.onnx")
    desk.refuses_to_quantize(
        r"quantized already: it has \d+ operators such as QuantizeLinear", "Start from the FP32 model"
    )


def test_a_model_with_nothing_to_quantize_is_refused_with_the_reasons(desk):
    save_model(desk, helper.make_node("Softmax", ["x"], ["y"], "soft"))
    desk.save("calib.npz", x=np.ones((4, 16), np.float32))
    desk.refuses_to_quantize("Nothing in this model can be quantized", "1 x Softmax: an INT8 softmax has no kernel")


def test_a_model_of_an_opset_that_is_too_old_is_refused(desk):
    save_model(desk, helper.make_node("Relu", ["x"], ["y"]), opset=6)
    desk.save("calib.npz", x=np.ones((4, 16), np.float32))
    desk.refuses_to_quantize("ai.onnx opset 6", "Export with opset 13 or newer")


# data


def test_missing_data_are_named(desk):
    desk.refused(["quantize", "model.onnx", "out.onnx", "--calib", "nope.npz"], r"There is no file 'nope\.npz'")


def test_missing_evaluation_data_are_named(desk):
    desk.refuses_to_quantize(r"There is no file 'nope\.npz'", options=["--eval", "nope.npz"])


def test_no_calibration_data_at_all_is_a_mistake(desk):
    desk.refused(
        ["quantize", "model.onnx", "out.onnx"],
        r"There are no calibration data\. Give typical inputs with --calib, or what was measured before with --stats\.",
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_an_npz_that_was_cut_off_is_refused(desk, share):
    content = (desk / "calib.npz").read_bytes()
    (desk / "calib.npz").write_bytes(content[: int(share * len(content))])
    desk.refuses_to_quantize(r"'calib\.npz' cannot be read: ")


def test_an_npz_with_a_flipped_bit_is_refused(desk, calib):
    np.savez_compressed(desk / "calib.npz", **calib)
    content = bytearray((desk / "calib.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (desk / "calib.npz").write_bytes(content)
    desk.refuses_to_quantize(r"The array 'image' in 'calib\.npz' cannot be read: ")


def test_an_npz_of_pickled_objects_is_not_opened(desk):
    desk.save("calib.npz", image=np.array([{"a": 1}], object))
    desk.refuses_to_quantize(r"The array 'image' in 'calib\.npz' holds Python objects, which are never loaded")


def test_a_single_array_in_an_npy_file_has_no_name(desk, calib):
    np.save(desk / "calib.npy", calib["image"])
    desk.refused(
        ["quantize", "model.onnx", "out.onnx", "--calib", "calib.npy"],
        r"'calib\.npy' holds one array without a name. Save it with np.savez\(path, input_name=array\)",
    )


def test_an_input_without_data_is_named_with_its_near_misses(desk, calib):
    desk.save("calib.npz", images=calib["image"])
    desk.refuses_to_quantize("no array for the model input 'image'", "Did you mean 'images'", "Arrays: images")


def test_an_array_that_is_no_input_is_named(desk, calib):
    desk.save("calib.npz", image=calib["image"], weight=calib["image"])
    desk.refuses_to_quantize("The array 'weight' is no input of the model", "Inputs: image")


@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (4, 1, 8), (4, 1, 1, 8, 8, 1), (4, 8, 8, 1), (64,), ()])
def test_an_array_of_another_shape_is_refused_with_both_shapes(desk, shape):
    desk.save("calib.npz", image=np.zeros(shape, np.float32))
    given = str(shape).replace("(", r"\(").replace(")", r"\)")
    desk.refuses_to_quantize(f"'image' has shape {given}", r"model input of shape \(any, 1, 8, 8\)")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int64, np.complex64, bool])
def test_an_array_of_another_type_is_refused_with_the_cast(desk, calib, dtype):
    desk.save("calib.npz", image=calib["image"].astype(dtype))
    desk.refuses_to_quantize(
        f"'image' holds {np.dtype(dtype)}, but the model input is float32", r"astype\(np\.float32\)"
    )


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "Inf"), (-np.inf, "Inf")])
def test_a_number_that_is_none_is_found(desk, calib, value, word):
    image = calib["image"].copy()
    image[70, 0, 3, 3] = value
    desk.save("calib.npz", image=image)
    desk.refuses_to_quantize(f"'image' holds {word} in sample 70 of 'calib.npz'", "Remove that sample")


def test_evaluation_data_are_checked_as_well(desk, calib):
    desk.save("eval.npz", image=np.full_like(calib["image"], np.nan))
    desk.refuses_to_quantize("'image' holds NaN", options=["--eval", "eval.npz"])


def test_a_model_that_computes_nan_is_refused_with_the_tensor(desk):
    weight = np.eye(16, dtype=np.float32)
    nodes = [helper.make_node("Log", ["x"], ["log"]), helper.make_node("MatMul", ["log", "w"], ["y"])]
    save_model(desk, *nodes, shape=("N", 16), w=weight)
    desk.save("calib.npz", x=np.concatenate([np.ones((40, 16), np.float32), -np.ones((1, 16), np.float32)]))
    desk.refuses_to_quantize(
        "computes NaN or Inf in tensor 'log'", r"for sample 40 of 'calib\.npz'\. Leave that sample out"
    )


def test_no_samples_are_too_few(desk):
    desk.save("calib.npz", image=np.zeros((0, 1, 8, 8), np.float32))
    desk.refuses_to_quantize(r"no samples: 'image' \(0, 1, 8, 8\)")


def test_inputs_with_different_numbers_of_samples_are_refused(desk):
    nodes = [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("MatMul", ["s", "w"], ["y"])]
    save_model(desk, *nodes, inputs=("a", "b"), shape=("N", 16), w=np.eye(16, dtype=np.float32))
    desk.save("calib.npz", a=np.ones((4, 16), np.float32), b=np.ones((5, 16), np.float32))
    desk.refuses_to_quantize("same number of samples", "'a': 4, 'b': 5")


def test_a_labels_array_that_is_missing_is_named_with_its_near_misses(desk):
    desk.refuses_to_quantize(
        "no array 'labels' for the labels", "Did you mean 'label'", options=["--eval", "eval.npz", "--labels", "labels"]
    )


def test_labels_have_to_be_whole_numbers(desk):
    desk.refuses_to_quantize(
        "labels 'image' must be whole numbers", "float32", options=["--eval", "eval.npz", "--labels", "image"]
    )


# options


@pytest.mark.parametrize("option", ["--calibrator", "--weight-calibrator"])
def test_an_unknown_calibrator_is_refused_with_those_that_exist(desk, option):
    desk.refuses_to_quantize(
        r"Unknown calibrator 'entropi'\. Choose one of: .*max, .*mse",
        "Did you mean 'entropy'",
        options=[option, "entropi"],
    )


def test_an_unknown_target_is_refused_with_those_that_exist(desk):
    desk.refuses_to_quantize("Unknown target 'tensort'. Choose one of: tensorrt", options=["--target", "tensort"])


@pytest.mark.parametrize("percentile", ["0", "-1", "100.1", "nan", "inf"])
def test_a_percentile_out_of_range_is_refused(desk, percentile):
    desk.refuses_to_quantize(
        r"percentile must lie in \(0, 100\]", options=["--calibrator", "percentile", "--percentile", percentile]
    )


def test_a_percentile_that_is_no_number_is_refused(desk):
    desk.refuses_to_quantize("argument --percentile: invalid float value: 'high'", options=["--percentile", "high"])


@pytest.mark.parametrize("size", ["0", "-3"])
def test_a_batch_size_below_one_is_refused(desk, size):
    desk.refuses_to_quantize(f"batch size must be a whole number above 0. Got {size}", options=["--batch-size", size])


def test_a_negative_seed_is_refused(desk):
    desk.refuses_to_quantize("seed must be at least 0. Got -1", options=["--seed", "-1"])


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("/head/Gem", "Did you mean '/head/Gemm'"),
        ("op:Gem", "Did you mean 'Gemm'"),
        ("/nothing/like/it/*", "`onnxq plan` lists the names of all nodes"),
        ("re:^qqqqqqqq$", "`onnxq plan` lists the names of all nodes"),
    ],
)
def test_a_selector_that_matches_nothing_is_refused_with_a_hint(desk, pattern, hint):
    names = {node.name for node in onnx.load(desk / "model.onnx").graph.node}
    assert "/head/Gemm" in names
    quoted = pattern.replace("*", r"\*").replace("^", r"\^").replace("$", r"\$")
    desk.refuses_to_quantize(f"selector '{quoted}' matches no node", hint, options=["--skip", pattern])


def test_a_selector_that_is_no_regular_expression_is_refused(desk):
    desk.refuses_to_quantize(r"'re:\(' is no valid regular expression: .*unterminated", options=["--skip", "re:("])


def test_skipping_everything_leaves_nothing_to_quantize(desk):
    desk.refuses_to_quantize("Nothing in this model can be quantized", "skipped on request", options=["--skip", "*"])


def test_an_option_may_not_be_abbreviated(desk):
    desk.refuses_to_quantize("unrecognized arguments: --percent", options=["--percent", "99"])


def test_a_command_is_needed(desk):
    desk.refused([], "required: COMMAND")


# outputs


def test_an_output_folder_that_is_missing_is_named(desk):
    desk.refused(
        ["quantize", "model.onnx", "no/such/out.onnx", "--calib", "calib.npz"],
        "folder 'no/such' of the output does not exist",
    )


def test_an_output_that_is_a_folder_is_refused(desk):
    (desk / "folder").mkdir()
    desk.refused(
        ["quantize", "model.onnx", "folder", "--calib", "calib.npz"], "output 'folder' is a folder. Give a file name"
    )


def test_an_output_folder_that_may_not_be_written_is_refused_at_once(desk, monkeypatch):
    (desk / "locked").mkdir(mode=0o555)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    desk.refused(
        ["quantize", "model.onnx", "locked/out.onnx", "--calib", "nope.npz"],
        "folder 'locked' of the output cannot be written",
    )


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
@pytest.mark.parametrize("file", ["model.onnx", "calib.npz", "eval.npz", "plan.json"])
def test_no_input_is_ever_overwritten(desk, link, file):
    (desk / "plan.json").write_text(desk.run("plan", "model.onnx", "--json").out)
    output = desk / file
    if link:
        output = desk / "link"
        getattr(output, link)(desk / file)
    desk.refused(
        ["quantize", "model.onnx", output.name, "--calib", "calib.npz", "--eval", "eval.npz", "--plan", "plan.json"],
        f"The output '{output.name}' is the input '?{file}'?. Choose another name: inputs are never touched",
    )


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(desk, monkeypatch):
    (desk / "out.onnx").write_bytes(b"the old one")
    written = []

    def write(descriptor, content, *, write=os.write):
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(write(descriptor, content[:1000]))
        return written[-1]

    monkeypatch.setattr(os, "write", write)
    desk.refuses_to_quantize("output 'out.onnx' cannot be written: No space left on device")
    assert written == [1000]


def test_a_disk_that_fills_up_leaves_nothing_where_files_cannot_be_nameless(desk, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(os, "fsync", fail)
    desk.refuses_to_quantize("output 'out.onnx' cannot be written: Input/output error")


# plans


@pytest.fixture
def refuses_plan(desk) -> Callable[..., None]:
    """Writes an edited plan of the model; `quantize --plan` has to refuse it."""

    def refuses_plan(edit: Callable[[Plan], object] | str, *patterns: str, code: int = 2) -> None:
        if not isinstance(edit, str):
            plan = json.loads(desk.run("plan", "model.onnx", "--json").out)
            edit(plan)
            edit = json.dumps(plan)
        (desk / "plan.json").write_text(edit)
        desk.refuses_to_quantize(*patterns, options=["--plan", "plan.json"], code=code)

    return refuses_plan


def decision(plan: Plan, **wanted: object) -> dict[str, Any]:
    """The first decision with those entries; `role` is that of the spec."""
    role = wanted.pop("role", None)
    for row in plan["decisions"]:
        if wanted.items() <= row.items() and (role is None or (row["spec"] and row["spec"]["role"] == role)):
            return row
    raise LookupError(wanted)


def test_a_missing_plan_is_named(desk):
    desk.refuses_to_quantize(r"plan 'nope\.json' cannot be read: .*No such file", options=["--plan", "nope.json"])


@pytest.mark.parametrize("text", ["", "{", "plan", "\x00", '{"onnxq_plan": 1,'])
def test_a_plan_has_to_be_json(refuses_plan, text):
    refuses_plan(text, "plan is no JSON")


def test_a_plan_has_to_be_text(desk):
    desk.refuses_to_quantize("plan 'model.onnx' cannot be read: .*utf-8", options=["--plan", "model.onnx"])


@pytest.mark.parametrize("text", ["[]", "1", "{}", '{"onnxq_plan": 99}', '{"decisions": []}'])
def test_json_that_is_no_plan_is_refused(refuses_plan, text):
    refuses_plan(text, "no plan of onnxq: the key 'onnxq_plan' must be 1")


def test_a_plan_of_another_model_is_refused(desk, refuses_plan):
    def edit(plan):
        plan["model"] = "0123456789abcdef"

    refuses_plan(edit, "made for another model: its fingerprint is 0123456789abcdef, this model's is", "`onnxq plan`")


@pytest.mark.parametrize("key", ["target", "decisions"])
def test_a_plan_that_lacks_a_part_is_refused_with_its_name(refuses_plan, key):
    refuses_plan(lambda plan: plan.pop(key), f"lacks a part .*'{key}'")


@pytest.mark.parametrize("key", ["node", "input", "tensor", "spec"])
def test_a_decision_that_lacks_a_part_is_refused_with_its_name(refuses_plan, key):
    refuses_plan(lambda plan: plan["decisions"][0].pop(key), f"lacks a part .*'{key}'")


@pytest.mark.parametrize("value", [None, 3, "text", {"a": 1}, [3], [["a"]]])
def test_decisions_of_another_kind_are_refused(refuses_plan, value):
    refuses_plan(lambda plan: plan.update(decisions=value), "lacks a part or holds something unexpected")


def test_a_node_that_the_model_lacks_is_named_with_near_misses(refuses_plan):
    refuses_plan(
        lambda plan: decision(plan, op="Gemm").update(node="/head/Gem"),
        "names the node '/head/Gem', which the model lacks",
        "Did you mean '/head/Gemm'",
    )


def test_a_tensor_that_the_node_does_not_read_is_named_with_those_it_does(refuses_plan):
    refuses_plan(
        lambda plan: decision(plan, op="Conv").update(tensor="nowhere"),
        "tensor 'nowhere'.*no such edge. Its inputs: .*image",
    )


@pytest.mark.parametrize("index", [1, 7, -1, "0", None, [0]])
def test_an_edge_that_the_node_does_not_have_is_refused(refuses_plan, index):
    refuses_plan(lambda plan: decision(plan, op="Conv", tensor="image").update(input=index), "no such edge")


def test_ties_of_unknown_tensors_are_refused(refuses_plan):
    refuses_plan(lambda plan: plan.update(ties=[["imag", "image"]]), "names the tensor 'imag'", "Did you mean 'image'")


def test_an_axis_that_the_weight_lacks_is_refused_with_its_shape(refuses_plan):
    refuses_plan(
        lambda plan: decision(plan, op="Conv", role="weight")["spec"].update(axis=4),
        r"input 1 of '/stem/stem\.0/Conv' .* a weight of shape \(\d+, 1, 3, 3\) is cut per tensor or along axis 0",
    )


def test_an_activation_has_one_scale(refuses_plan):
    refuses_plan(lambda plan: decision(plan, op="Conv", tensor="image")["spec"].update(axis=1), "image", "axis")


def test_blocks_are_refused_where_the_format_has_none(refuses_plan):
    refuses_plan(
        lambda plan: decision(plan, op="Conv", role="weight")["spec"].update(axis=0, block_size=4),
        "is cut per tensor or along axis 0 there, not as int8 per 4",
    )


def test_an_unknown_format_is_refused(refuses_plan):
    refuses_plan(
        lambda plan: decision(plan, op="Conv", tensor="image")["spec"].update(format="int7"),
        r"stores input 0 of '/stem/stem\.0/Conv' .* as 'int7', which is no known format",
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"format": "int8", "colour": 1}, "keys format, role, axis and block_size"),
        ("int8", "keys format, role, axis and block_size"),
        ({"role": "activation"}, "needs a format"),
        ({"format": "int8", "role": "bias"}, "role 'activation' or 'weight'"),
        ({"format": "int8", "axis": "0"}, "must be whole numbers"),
        ({"format": "int8", "role": "weight"}, "the role 'weight', but that tensor is computed at run"),
    ],
)
def test_a_spec_that_says_nothing_is_refused(refuses_plan, spec, message):
    refuses_plan(lambda plan: decision(plan, op="Conv", tensor="image").update(spec=spec), message)


def test_a_tensor_stored_in_two_ways_is_refused_with_both_readers(refuses_plan):
    def edit(plan):
        shared = decision(plan, op="Add", role="activation")["tensor"]
        rows = [row for row in plan["decisions"] if row["tensor"] == shared and row["spec"]]
        assert len(rows) > 1
        rows[0]["spec"]["format"] = "int4"

    refuses_plan(edit, "cannot be stored in two ways: as int4 per tensor for node .* and as int8 per tensor for node")


def test_a_residual_add_with_two_quantized_operands_is_refused(refuses_plan):
    def edit(plan):
        join = plan["residuals"][0]
        for row in plan["decisions"]:
            if row["node"] == join:
                row["spec"] = {"format": "int8", "role": "activation"}

    refuses_plan(
        edit, "residual join '/blocks/blocks.0/Add' may have one quantized operand", "Set the spec of the other to null"
    )


def test_an_edge_that_is_decided_twice_is_refused(refuses_plan):
    def edit(plan):
        row = decision(plan, op="Conv", tensor="image")
        plan["decisions"].append(row | {"spec": None})

    refuses_plan(edit, "decides 2 times on input 0 of '/stem/stem.0/Conv'")


def test_a_plan_that_quantizes_nothing_is_refused(refuses_plan):
    def edit(plan):
        for row in plan["decisions"]:
            row["spec"] = None

    refuses_plan(edit, "Nothing in this model can be quantized")


def test_only_float32_is_quantized_whatever_the_plan_says(desk, refuses_plan):
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["r"], "reshape"),
        helper.make_node("MatMul", ["r", "w"], ["y"], "product"),
    ]
    save_model(desk, *nodes, shape=(2, 16), w=np.eye(16, dtype=np.float32), s=np.array([2, 16]))
    desk.save("calib.npz", x=np.ones((2, 16), np.float32))

    def edit(plan):
        spec = {"format": "int8", "role": "weight"}
        plan["decisions"].append({"node": "reshape", "op": "Reshape", "input": 1, "tensor": "s", "spec": spec})

    refuses_plan(edit, "tensor 's'.* int64")


# tracebacks


def test_debug_shows_the_traceback_of_a_mistake(desk):
    outcome = desk.call(["quantize", "nope.onnx", "out.onnx", "--calib", "calib.npz", "--debug"])
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("error: There is no file 'nope.onnx'.\n")


def test_a_bug_is_called_one(desk, monkeypatch):
    def broken(model, output):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("onnxq.onnx_io.save", broken)
    desk.refuses_to_quantize("error: this is a bug in onnxq, please report it: ZeroDivisionError: by zero", code=1)
    outcome = desk.call(["quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--debug"])
    assert (outcome.code, "Traceback" in outcome.err) == (1, True)


def test_a_failure_that_is_nobodys_mistake_exits_with_1(desk, monkeypatch):
    def broken(written):
        raise VerifyError("a promise is broken")

    monkeypatch.setattr("onnxq.pipeline.check_structure", broken)
    desk.refuses_to_quantize("error: a promise is broken", code=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["quantize", "nope.onnx", "out.onnx", "--calib", "calib.npz"], 2, "error: There is no file 'nope.onnx'.\n"),
        (["quantize", "model.onnx", "/proc/out.onnx", "--calib", "calib.npz"], 2, "error: The (output|folder) '/proc"),
        (["plan", "calib.npz"], 2, "error: 'calib.npz' is no readable ONNX model"),
    ],
)
def test_the_process_exits_as_main_returns(desk, start, arguments, code, message):
    before = desk.files()
    process = start(*arguments)
    out, err = process.communicate()
    assert (process.returncode, out) == (code, "")
    assert re.match(message, err), err
    assert desk.files() == before


@pytest.mark.slow
def test_a_file_size_limit_leaves_nothing_behind(desk, start):
    """A real write that fails midway: the system refuses to let the file grow."""
    driver = (
        "import resource, sys; from onnxq.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); sys.exit(main(sys.argv[1:]))"
    )
    before = desk.files()
    process = start("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", code=("-c", driver))
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == "error: The output 'out.onnx' cannot be written: File too large.\n"
    assert desk.files() == before
