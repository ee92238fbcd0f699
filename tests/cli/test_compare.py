"""`onnxq compare`, and what the real polygraphy command makes of its files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

POLYGRAPHY = Path(sys.executable).with_name("polygraphy")
COMPARE = ("compare", "model.onnx", "int8.onnx", "--data", "eval.npz")


@pytest.fixture
def desk(desk):
    """With the Q/DQ model int8.onnx."""
    desk.run("quantize", "model.onnx", "int8.onnx", "--calib", "calib.npz", "-q")
    return desk


def polygraphy(*arguments, code=0):
    done = subprocess.run([POLYGRAPHY, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def row(text, tensor):
    """The cells of the last row of a tensor."""
    found = [line for line in text.splitlines() if line.split()[:1] == [tensor]][-1]
    return re.split(r" {2,}", found.strip())


class TestOutputs:
    def test_the_figures_are_those_of_quantize(self, desk):
        command = ("quantize", "model.onnx", "again.onnx", "--calib", "calib.npz", "--eval", "eval.npz", "--json")
        expected = json.loads(desk.run(*command).out)["fidelity"]["figures"]["logits"]
        found = json.loads(desk.run(*COMPARE, "--json").out)
        assert found["samples"] == 505
        assert found["models"]["INT8"]["figures"]["logits"] == pytest.approx(expected, rel=1e-4)

    def test_as_a_table(self, desk):
        outcome = desk.run(*COMPARE)
        assert outcome.err == ""
        assert outcome.out.startswith("Compared with FP32, on 505 samples\n")
        name, model, sqnr, cosine, largest, mean, *scores = row(outcome.out, "logits")
        assert (name, model, sqnr, cosine) == ("logits", "INT8", "40.0 dB", "0.99995")
        assert 0 < float(mean) < float(largest) < 1
        assert all(re.fullmatch(r"\d+\.\d\d %", score) for score in scores)
        assert len(scores) == 3

    def test_without_labels_the_classes_are_still_compared(self, desk, calib):
        desk.save("x.npz", image=calib["image"])
        assert "top-1" not in desk.run(*COMPARE[:-1], "x.npz").out
        assert "same class" in desk.run(*COMPARE[:-1], "x.npz").out

    def test_a_model_equals_itself(self, desk):
        found = row(desk.run("compare", "model.onnx", "model.onnx", "--calib", "calib.npz").out, "logits")
        assert found[2:6] == ["exact", "1.00000", "0", "0"]

    def test_the_first_samples_only(self, desk):
        assert json.loads(desk.run(*COMPARE, "--num-samples", 33, "--json").out)["samples"] == 33

    def test_quiet(self, desk):
        assert desk.run(*COMPARE, "-q").out == ""

    def test_polygraphys_log_is_shown_with_v_only(self, desk):
        assert "Activating" in desk.run(*COMPARE, "-v").err
        assert "Activating" not in desk.run(*COMPARE).err

    def test_nothing_is_written_unasked(self, desk):
        before = desk.files()
        desk.run(*COMPARE, "--layers", "-q")
        assert desk.files() == before


class TestLayers:
    def test_they_are_in_graph_order_and_end_with_the_output(self, desk):
        found = json.loads(desk.run(*COMPARE, "--layers", "--json").out)
        order = [output for node in onnx.load(desk / "model.onnx").graph.node for output in node.output]
        names = [layer["tensor"] for layer in found["layers"]]
        assert names == sorted(names, key=order.index)
        assert len(names) > 20
        outputs = found["models"]["INT8"]["figures"]["logits"]
        last = found["layers"][-1]["figures"]
        assert last == pytest.approx({name: outputs[name] for name in last}, rel=1e-3)

    def test_the_largest_drops_are_marked(self, desk):
        out = desk.run(*COMPARE, "--layers").out
        marked = [line for line in out.splitlines() if "←" in line]
        assert marked
        assert "the largest: " in out

    @pytest.mark.parametrize("options", [("--batch-size", 7), ("--max-memory", "50kB")], ids=str)
    def test_no_way_to_run_the_models_makes_a_difference(self, desk, options):
        whole, parts = (
            json.loads(desk.run(*COMPARE, "--num-samples", 40, "--layers", "--json", *more).out)["layers"]
            for more in ((), options)
        )
        assert [layer["tensor"] for layer in parts] == [layer["tensor"] for layer in whole]
        for one, other in zip(parts, whole, strict=True):
            assert one["figures"]["sqnr"] == pytest.approx(other["figures"]["sqnr"], abs=0.01)

    def test_several_passes_are_announced(self, desk):
        assert "passes over the samples" in desk.run(*COMPARE, "--layers", "--max-memory", "50kB").err

    def test_damage_shows_where_it_is_done(self, desk):
        model = onnx.load(desk / "model.onnx")
        conv = [node for node in model.graph.node if node.op_type == "Conv"][4]
        weight = next(tensor for tensor in model.graph.initializer if tensor.name == conv.input[1])
        noisy = onnx.numpy_helper.to_array(weight) * np.float32([1.3, 0.7] * (weight.dims[0] // 2)).reshape(-1, 1, 1, 1)
        weight.CopyFrom(onnx.numpy_helper.from_array(noisy, weight.name))
        onnx.save(model, desk / "int8.onnx")
        out = desk.run(*COMPARE, "--layers").out
        assert "← 1" in next(line for line in out.splitlines() if line.split()[:1] == [conv.output[0]])


class TestPolygraphy:
    def test_there_and_back(self, desk):
        desk.run(*COMPARE, "-q", "--save-inputs", "in.json", "--save-outputs", "out.json", "--batch-size", 101)
        assert "Data (5 iterations)" in polygraphy("inspect", "data", "in.json")
        assert "Run Results (2 runners)" in polygraphy("inspect", "data", "out.json")
        load = ("--load-inputs", "in.json", "--load-outputs", "out.json")
        assert "PASSED" in polygraphy("run", "int8.onnx", "--onnxrt", *load, "--rel-tol", 0.5, "--abs-tol", 0.5)
        assert "PASSED" in polygraphy("run", "model.onnx", "--onnxrt", *load, "--compare", "snr", "--snr-threshold", 30)
        polygraphy("run", "int8.onnx", "--onnxrt", *load, "--rel-tol", 1e-6, "--abs-tol", 1e-6, code=1)

    def test_what_it_saves_can_be_compared_on(self, desk):
        polygraphy("run", "model.onnx", "--onnxrt", "--iterations", 3, "--save-inputs", "in.json")
        found = json.loads(desk.run(*COMPARE[:-1], "in.json", "--json").out)
        assert found["samples"] == 3

    def test_what_is_saved_can_be_compared_on(self, desk):
        first = desk.run(*COMPARE, "--save-inputs", "in.json", "--num-samples", 40, "--json").out
        again = desk.run(*COMPARE[:-1], "in.json", "--json").out
        figures = (json.loads(text)["models"]["INT8"]["figures"]["logits"] for text in (first, again))
        assert len({figure["sqnr"] for figure in figures}) == 1


class TestRefusals:
    def test_another_model(self, desk):
        model = onnx.load(desk / "model.onnx")
        model.graph.output[0].name = "scores"
        model.graph.node[-1].output[0] = "scores"
        onnx.save(model, desk / "other.onnx")
        desk.refused(
            ["compare", "model.onnx", "other.onnx", "--data", "eval.npz"],
            r"The models are not two forms of one: the output 'logits' of the FP32 model is missing from the INT8 ",
            r"model, which has: scores\.",
        )

    def test_another_shape(self, desk):
        model = onnx.load(desk / "model.onnx")
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 16
        onnx.save(model, desk / "other.onnx")
        desk.refused(
            ["compare", "model.onnx", "other.onnx", "--data", "eval.npz"],
            r"the input 'image' is float32 \(any, 1, 8, 8\) in the FP32 model, but float32 \(any, 1, 16, 8\) in",
        )

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (("--save-inputs", "eval.npz"), r"The output 'eval\.npz' is the input 'eval\.npz'"),
            (("--save-outputs", "int8.onnx"), r"The output 'int8\.onnx' is the input 'int8\.onnx'"),
            (("--save-inputs", "a.json", "--save-outputs", "./a.json"), r"are both 'a\.json'\. Give two names\."),
            (("--num-samples", "0"), r"The number of samples must be at least 1\. Got 0\."),
            (("--preprocess", "imagenet"), r"but only images in a folder are preprocessed\."),
            (("--provider", "cudda"), r"There is no provider 'cudda'\."),
        ],
        ids=str,
    )
    def test_options_that_cannot_be(self, desk, options, text):
        desk.refused([*COMPARE, *options], text)

    def test_polygraphy_is_missing(self, desk, monkeypatch):
        for name in ["polygraphy", *(name for name in sys.modules if name.startswith("polygraphy."))]:
            monkeypatch.setitem(sys.modules, name, None)
        desk.refused(COMPARE, r"Comparing needs Polygraphy: pip install 'onnxq\[polygraphy\]'$", code=1)

    def test_an_engine_without_tensorrt(self, desk, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorrt", None)
        command = ["compare", "model.onnx", "int8.onnx", "model.engine", "--data", "eval.npz"]
        desk.refused(command, r"Running an engine needs TensorRT and a GPU: pip install 'onnxq\[tensorrt\]'$", code=1)
