"""`onnxq build`, `onnxq inspect` and `onnxq quantize --check`, with TensorRT for RTX, which needs no GPU."""

from __future__ import annotations

import errno
import json
import os
import sys

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxq.pipeline import building

pytestmark = pytest.mark.tensorrt

BUILD = ("build", "model.onnx", "model.engine", "--backend", "tensorrt-rtx", "--compute-capability", "8.9")
INSPECT = ("inspect", "model.onnx", "--compute-capability", "8.9")


@pytest.fixture
def quantized(desk):
    """A desk whose model.onnx has Q/DQ."""
    desk.quantize()
    (desk / "model.onnx").unlink()
    (desk / "out.onnx").rename(desk / "model.onnx")
    return desk


# build


def test_an_engine_is_written_and_the_kernels_are_told(quantized):
    told = quantized.run(*BUILD).out
    assert "for compute capability 8.9: " in told
    assert "in 'model.engine'." in told
    assert "11 of 11 convolutions, 0 of 1 Gemms read INT8; no shortcuts in float; " in told
    assert len((quantized / "model.engine").read_bytes()) > 100_000


def test_quiet_says_nothing(quantized):
    assert quantized.run(*BUILD, "-q").out == ""


def test_json_has_the_kernels(quantized):
    assert json.loads(quantized.run(*BUILD, "--json").out)["int8_nodes"] == 11


def test_of_several_gpus_it_is_said_that_the_kernels_are_those_of_one(quantized):
    assert "TensorRT tells the layers of one of these GPUs:" in quantized.run(*BUILD, "12.0").out


def test_nothing_but_the_engine_is_touched(quantized):
    before = quantized.files()
    quantized.run(*BUILD, "-q")
    after = quantized.files()
    after.pop("model.engine")
    assert after == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shapes", "imag:1x1x8x8"], "No input is called 'imag'. Did you mean 'image'"),
        (
            ["--shapes", "image:1x1x9x8"],
            r"'image' has the shape \(-1, 1, 8, 8\), -1 where free: \(1, 1, 9, 8\) does not",
        ),
        (["--shapes", "image:1x1x8x8", "image:2x1x8x8"], "names the input 'image' twice"),
        (["--preprocess", "imagenet"], "--preprocess does nothing without --calib. Give both"),
        (["--calib", "nope.npz"], r"There is no file 'nope\.npz'"),
        (["--timing-cache", "model.onnx"], r"The output 'model\.onnx' is the input"),
        (["--timing-cache", "model.engine"], r"The engine and the timing cache are one file, 'model\.engine'"),
        (["--timing-cache", "cache"], "measures nothing, so it has no timing cache"),
        (["--plugins", "nope.so"], r"The plugin library 'nope\.so' does not exist"),
        (["--compute-capability", "9.9"], r"for compute capability '9\.9'. Choose one of: "),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(quantized, options, message):
    quantized.refused([*BUILD, *options], message)


def test_a_workspace_that_is_no_size_is_refused(desk):
    outcome = desk.call([*BUILD, "--workspace", "much"])
    assert outcome.code == 2
    assert "'much' is no size" in outcome.err


def test_samples_tell_the_sizes_that_the_model_leaves_free(desk):
    value = [helper.make_tensor_value_info(name, 1, ["n", 4, "h", "w"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), desk / "model.onnx")
    desk.save("free.npz", x=np.zeros((3, 4, 10, 12), np.float32))
    desk.refused(BUILD, "Axis 2 of the input 'x' has no size in the model")
    desk.run(*BUILD, "--calib", "free.npz", "-q")
    found = json.loads(desk.run(*INSPECT, "--calib", "free.npz", "--json").out)
    assert found["layers"][0]["reads"][0]["dims"] == [8, 4, 10, 12]


def test_an_operator_that_is_unknown_is_named_with_what_to_do(desk):
    value = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"]
    node = helper.make_node("MyOp", ["x"], ["y"], "mine", domain="acme")
    imports = [helper.make_opsetid("", 19), helper.make_opsetid("acme", 1)]
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), desk / "model.onnx")
    desk.refused(BUILD, "refuses the model: MyOp 'mine': .*Fix: load the library that has it with --plugins", code=1)


def test_a_full_disk_leaves_no_engine(quantized, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    quantized.refused(BUILD, r"The output 'model\.engine' cannot be written: No space left on device")


def test_ctrl_c_leaves_no_engine(quantized, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    before = quantized.files()
    monkeypatch.setattr(building, "build", pressed)
    outcome = quantized.call(BUILD)
    assert (outcome.code, outcome.err) == (130, "interrupted; nothing was written\n")
    assert quantized.files() == before


@pytest.mark.parametrize(
    "command", [BUILD, INSPECT, ("quantize", "model.onnx", "o", "--calib", "calib.npz", "--check")]
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(desk, monkeypatch, command):
    for module in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    desk.refused(command, r"Compiling needs TensorRT for RTX: pip install 'onnxq\[rtx\]'", code=1)


# inspect


def test_each_kernel_is_told_with_its_types_and_nodes(quantized):
    told = quantized.run(*INSPECT, "-v").out
    assert told.count("correlation") == 11
    assert "/blocks/blocks.0/conv1/Conv" in told
    assert "Between kernels move" in told


def test_quiet_is_the_verdict_alone(quantized):
    (line,) = quantized.run(*INSPECT, "-q").out.splitlines()
    assert line.startswith("11 of 11 convolutions, 0 of 1 Gemms read INT8; no shortcuts in float; ")


def test_a_float_model_reads_no_int8(desk):
    assert "0 of 11 convolutions, 0 of 1 Gemms read INT8" in desk.run(*INSPECT, "-q").out


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nope.onnx", r"There is no file 'nope\.onnx'"),
        (".", r"'\.' is a folder"),
        ("calib.npz", "no readable ONNX model"),
    ],
)
def test_what_is_neither_model_nor_engine_is_refused(desk, path, message):
    desk.refused(["inspect", path], message)


def test_an_engine_without_a_gpu_is_refused_with_what_to_do(quantized, monkeypatch):
    quantized.run(*BUILD, "-q")
    monkeypatch.setattr("onnxq.runtimes.tensorrt.opened.gpu_answers", lambda: False)
    quantized.refused(["inspect", "model.engine"], "Inspect the ONNX model that the engine was built from", code=1)


def test_the_layers_of_two_gpus_are_not_mixed(quantized):
    quantized.refused([*INSPECT, "7.5"], "The layers are those of one GPU. Give one --compute-capability")


# quantize --check


def test_a_checked_model_is_written_and_its_kernels_are_told(desk):
    told = desk.run("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--check").out
    assert "Checked with TensorRT for RTX: 11 of 11 convolutions, 0 of 1 Gemms read INT8; " in told
    assert (desk / "out.onnx").exists()


def test_a_planned_node_that_computes_in_float_is_named_and_nothing_is_written(desk, monkeypatch):
    monkeypatch.setattr(building, "unkept", lambda plan, planned: tuple(planned)[:1])
    message = (
        r"1 of the planned INT8 nodes compute in float in TensorRT for RTX: /stem/stem\.0/Conv\. Leave them out with"
    )
    desk.refuses_to_quantize(message, options=["--check"], code=1)


def test_there_is_nothing_to_check_without_int8(desk):
    desk.refuses_to_quantize(
        "--check looks for INT8 kernels, and --no-int8 asks for none", options=["--check", "--no-int8"]
    )
