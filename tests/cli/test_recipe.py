"""Recipes on the command line: obeyed, overridden, begun and saved; what was saved makes the same file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.cli.conftest import Desk

RULES = """
rest: bf16
calibrator: percentile
percentile: 99.9
rules:
- select: op:Conv & position:first 3
  calibrator: entropy
  weight_calibrator: mse
- select: /head/Gemm
  include: true
- select: re:blocks.2/conv1
  weight_granularity: per_tensor
  rest: fp32
- select: from:/blocks/blocks.3/conv1/Conv & op:Conv
  calibrator: percentile
  percentile: 98.5
skip: [/blocks/blocks.0/conv2/Conv]
residuals:
  /blocks/blocks.1/Add: 0
  /blocks/blocks.2/Add: none
"""


@pytest.fixture
def recipe(desk: Desk) -> Path:
    path = desk / "r.yaml"
    path.write_text(RULES)
    return path


def plan(desk: Desk, *options: object) -> dict[str, object]:
    return json.loads(desk.run("plan", "model.onnx", "--json", *options).out)


class TestSaved:
    """The bar: a recipe that --save-recipe wrote makes the same file, byte for byte."""

    def check(self, desk: Desk, *options: object) -> str:
        first = desk.quantize(*options, "--save-recipe", "saved.yaml")
        text = (desk / "saved.yaml").read_text()
        assert desk.quantize("--recipe", "saved.yaml", "--save-recipe", "again.yaml") == first
        assert (desk / "again.yaml").read_text() == text
        return text

    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--calibrator", "entropy", "--weight-calibrator", "mse"],
            ["--calibrator", "percentile", "--percentile", "99.5"],
            ["--rest", "fp32", "--skip", "op:Add", "re:blocks.3"],
            ["--rest", "bf16", "--io-types", "low", "--seed", "3"],
            ["--target", "onnxruntime", "--calibrator", "max"],
            ["--no-int8"],
            ["--include", "op:Gemm"],
            ["--preset", "naive"],
            ["--preset", "hybrid"],
            ["--preset", "selective"],
            ["--preset", "detection", "--include", "/head/Gemm"],
        ],
        ids=" ".join,
    )
    def test_what_options_asked_for(self, desk, options):
        self.check(desk, *options)

    def test_rules_and_residual_overrides(self, desk, recipe):
        plain = desk.quantize()
        text = self.check(desk, "--recipe", recipe)
        assert desk.quantize("--recipe", recipe) != plain
        assert "percentile: 98.5" in text
        assert "/blocks/blocks.2/Add: none" in text

    def test_auto_is_what_it_chose(self, desk):
        text = self.check(desk, "--calibrator", "auto")
        assert re.search(r"^calibrator: (mse|entropy|max|percentile)$", text, re.MULTILINE)

    def test_a_calibration_cache_is_named_from_where_the_recipe_is(self, desk):
        (desk / "old").mkdir()
        scales = ("image: 3c010a14", "/stem/stem.2/Relu_output_0: 3d010a14")
        (desk / "old" / "c.cache").write_text("\n".join(("TRT-8601-EntropyCalibration2", *scales)) + "\n")
        text = self.check(desk, "--tensorrt-cache", "old/c.cache")
        assert "tensorrt_cache: old/c.cache\n" in text
        first = desk.quantize("--tensorrt-cache", "old/c.cache", "--save-recipe", "old/r.yaml")
        assert "tensorrt_cache: c.cache\n" in (desk / "old" / "r.yaml").read_text()
        assert desk.quantize("--recipe", "old/r.yaml") == first != desk.quantize()

    def test_what_cannot_be_said_is_refused(self, desk):
        plan(desk)
        (desk / "p.json").write_text(desk.run("plan", "model.onnx", "--json").out)
        desk.refuses_to_quantize(
            r"--plan decides edge by edge, which no recipe can say\. Leave out --save-recipe, and keep the plan\.",
            options=["--plan", "p.json", "--save-recipe", "s.yaml"],
        )

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("out.onnx", r"The model and its recipe cannot both be 'out\.onnx'\. Choose another name for one\."),
            ("model.onnx", r"The output 'model\.onnx' is the input 'model\.onnx'\."),
            ("none/s.yaml", r"The folder 'none' of the output does not exist\. Create it first\."),
        ],
    )
    def test_it_needs_a_file_of_its_own(self, desk, path, message):
        desk.refuses_to_quantize(message, options=["--save-recipe", path])


class TestObeyed:
    def test_options_override_its_keys(self, desk, recipe):
        desk.quantize("--recipe", recipe, "--rest", "fp16", "--calibrator", "max", "--save-recipe", "s.yaml")
        saved = (desk / "s.yaml").read_text()
        assert "rest: fp16\n" in saved
        assert "calibrator: max\n" in saved
        assert "percentile: 99.9\n" in saved

    def test_what_options_skip_and_include_comes_on_top(self, desk):
        (desk / "r.yaml").write_text("skip: [/head/Gemm, op:Add]\n")
        readers = {
            row["node"]
            for row in plan(desk, "--recipe", "r.yaml", "--include", "/head/Gemm")["decisions"]
            if row["spec"]
        }
        assert "/head/Gemm" in readers
        assert not any(name.endswith("Add") for name in readers)

    def test_plan_says_what_each_rule_does(self, desk, recipe):
        out = desk.run("plan", "model.onnx", "--recipe", recipe).out
        lines = [re.sub(r"\s{2,}", " | ", line).strip(" |") for line in out.splitlines()]
        assert (
            "re:blocks.2/conv1 | weight_granularity per_tensor, rest fp32 | 1 | 1 | /blocks/blocks.2/conv1/Conv"
            in lines
        )
        assert "FP32 on request: /blocks/blocks.2/conv1/Conv" in lines
        first = next(line for line in lines if line.startswith("Conv /stem/stem.0/Conv | 0"))
        assert "| int8 per tensor, entropy |" in first
        assert first.endswith("| op:Conv & position:first 3")

    def test_plan_shows_no_rules_where_there_are_none(self, desk):
        out = desk.run("plan", "model.onnx").out
        assert "rule" not in out.replace("INT8 rule", "")

    def test_a_plan_of_a_recipe_makes_the_file_that_the_recipe_makes(self, desk, recipe):
        whole = ("--rest", "bf16", "--calibrator", "percentile", "--percentile", "99.9")
        (desk / "p.json").write_text(desk.run("plan", "model.onnx", "--json", "--recipe", recipe).out)
        expected = desk.quantize("--recipe", recipe)
        assert desk.quantize("--plan", "p.json", *whole) == expected
        assert desk.quantize("--plan", "p.json", "--recipe", recipe) == expected

    def test_calibrate_measures_what_its_plan_needs(self, desk, recipe):
        recipe.write_text(f"{RULES}labels: y\n")  # which are not for calibration
        desk.run("calibrate", "model.onnx", "s.npz", "--calib", "calib.npz", "--recipe", recipe, "-q")
        recipe.write_text(RULES)
        desk.run("quantize", "model.onnx", "a.onnx", "--stats", "s.npz", "--recipe", recipe, "-q")
        assert (desk / "a.onnx").read_bytes() == desk.quantize("--recipe", recipe)

    def test_the_report_counts_what_rules_calibrate(self, desk):
        rule = "rules:\n- {select: op:Conv & position:first 2, calibrator: entropy, weight_calibrator: mse}\n"
        (desk / "r.yaml").write_text(rule)
        out = desk.run("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--recipe", "r.yaml").out
        assert "Calibrator mse; entropy for 2; mse for 2 tensors, by rule\n" in out
        command = ["quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--recipe", "r.yaml", "--json"]
        assert json.loads(desk.run(*command).out)["calibrators"] == {"entropy": 2, "mse": 2}

    def test_nodes_whose_rest_is_fp32_compute_in_fp32(self, desk):
        (desk / "r.yaml").write_text("rules:\n- select: op:GlobalAveragePool\n  rest: fp32\n")
        out = desk.run("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "--recipe", "r.yaml", "-v").out
        assert re.search(r"GlobalAveragePool +the recipe asks for it +/pool/GlobalAveragePool", out)
        model = onnx.shape_inference.infer_shapes(onnx.load(desk / "out.onnx"))
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        (pool,) = (node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        assert types[pool.output[0]] == onnx.TensorProto.FLOAT

    def test_known_parameters_of_supergradients_are_taken_and_the_rest_is_told(self, desk):
        (desk / "sg.yaml").write_text("calib_params: {histogram_calib_method: entropy, num_calib_batches: 4}\n")
        outcome = desk.run("quantize", "model.onnx", "a.onnx", "--calib", "calib.npz", "--recipe", "sg.yaml")
        assert outcome.err == (
            "sg.yaml:1: 'num_calib_batches' is not carried over: give --num-samples, 4 times the batch size of "
            "training.\n"
        )
        assert (desk / "a.onnx").read_bytes() == desk.quantize("--calibrator", "entropy")


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("rest: fp8\n", r"^error: r\.yaml:1: Unknown type of the rest 'fp8'\."),
            (
                "skip:\n- op:Conf\n",
                r"^error: r\.yaml:2: The selector 'op:Conf' matches no node\. Did you mean 'Conv'\?$",
            ),
            (
                "rules:\n- {select: op:Softmx, skip: true}\n",
                r"^error: r\.yaml:2: The selector 'op:Softmx' matches no node\. `onnxq plan` lists the names of all",
            ),
            (
                "include:\n- /stem/stem.2/Relu\n",
                r"^error: r\.yaml:2: Relu '/stem/stem\.2/Relu' cannot be included: it is fused into the kernel of",
            ),
            (
                "rules:\n- select: op:Conv\n  calibrator: auto\n",
                r"^error: r\.yaml:2: The rule for 'op:Conv': 'auto' compares whole models\. Name the",
            ),
            (
                "rules:\n- select: op:Conv\n  rest: bf16\n",
                r"^error: r\.yaml:2: The rule for 'op:Conv': Where the rest is fp16, that of a single node is fp32 or "
                r"fp16, not bf16\.$",
            ),
            ("format: uint8\n", r"^error: The target 'tensorrt' stores activations as int8, not as uint8\.$"),
            ("weight_format: uint8\n", r"^error: The target 'tensorrt' stores weights as int8, not as uint8\.$"),
            ("residuals: {/x/Add: 0}\n", r"^error: The residual join '/x/Add' is no node of the model\."),
            ("tensorrt_cache: c.cache\n", r"^error: The calibration cache 'c\.cache' cannot be read: No such file"),
            ("int8: false\nskip: [op:Add]\n", r"^error: Without INT8 there is nothing to plan or to skip\."),
        ],
    )
    def test_a_recipe_that_does_not_fit_the_model(self, desk, text, message):
        (desk / "r.yaml").write_text(text)
        desk.refuses_to_quantize(message, options=["--recipe", "r.yaml"])

    def test_a_recipe_and_a_preset_at_once(self, desk, recipe):
        desk.refuses_to_quantize(
            r"argument --preset: not allowed with argument --recipe", options=["--recipe", recipe, "--preset", "naive"]
        )

    def test_an_unknown_preset(self, desk):
        desk.refuses_to_quantize(
            r"^error: Unknown preset 'naiv'\. Choose one of: naive, hybrid, selective, detection\. Did you mean",
            options=["--preset", "naiv"],
        )

    def test_a_recipe_is_an_input_that_is_not_overwritten(self, desk, recipe):
        command = ["quantize", "model.onnx", "r.yaml", "--calib", "calib.npz", "--recipe", "r.yaml"]
        desk.refused(command, r"The output 'r\.yaml' is the input 'r\.yaml'\.")

    def test_a_percentile_that_nothing_asks_for(self, desk):
        (desk / "r.yaml").write_text("calibrator: max\n")
        options = ["--recipe", "r.yaml", "--percentile", "99"]
        desk.refuses_to_quantize(
            r"--percentile does nothing without --calibrator percentile\. Give both", options=options
        )


class TestBegun:
    def test_it_is_printed_or_written(self, desk):
        out = desk.run("recipe", "--init", "model.onnx").out
        desk.run("recipe", "--init", "model.onnx", "r.yaml")
        assert (desk / "r.yaml").read_text() == out

    def test_as_it_is_it_changes_nothing(self, desk):
        plain = desk.quantize()
        desk.run("recipe", "--init", "model.onnx", "r.yaml")
        assert desk.quantize("--recipe", "r.yaml") == plain

    def test_it_tells_of_the_model(self, desk):
        out = desk.run("recipe", "--init", "model.onnx").out
        assert out.startswith("# How onnxq quantizes 'model.onnx': `onnxq quantize --recipe` obeys it.\n")
        assert "#   Conv: 11 of 11 read INT8\n" in out
        assert "# - position:last_before_output  # all of them\n# - /head/Gemm  # Gemm\n" in out
        assert "# - /head/Gemm  # its output dimension of 10 does not fill an INT8 kernel of 16\n" in out
        assert "#   /blocks/blocks.0/Add: 1  # it adds '/stem/stem.2/Relu_output_0' in INT8\n" in out
        assert "target: tensorrt  # tensorrt, tensorrt-rtx, onnxruntime\n" in out

    @pytest.mark.parametrize("section", ["skip", "include", "residuals"])
    def test_its_candidates_count_without_their_comment_signs(self, desk, section):
        plain = desk.quantize()
        out = desk.run("recipe", "--init", "model.onnx").out
        head, _, rest = out.partition(f"\n{section}: ")
        heading, *lines = rest.split("\n\n")[0].splitlines()[1:]
        assert heading.endswith((".", ":"))
        text = "\n".join([head, f"{section}:", *(line[2:] for line in lines)])
        (desk / "r.yaml").write_text(text)
        assert (desk.quantize("--recipe", "r.yaml") == plain) == (section != "include")

    def test_it_begins_with_a_preset_and_for_a_target(self, desk):
        out = desk.run("recipe", "--init", "model.onnx", "--preset", "hybrid").out
        assert "calibrator: max" in out
        assert "skip:\n- position:last_before_output\n" in out
        assert "format: uint8" in desk.run("recipe", "--init", "model.onnx", "--target", "onnxruntime").out

    def test_it_has_to_be_told_of_which_model(self, desk):
        desk.refused(["recipe"], r"the following arguments are required: --init")
        desk.refused(["recipe", "--init", "none.onnx"], r"^error: There is no file 'none\.onnx'\.$")
        desk.refused(["recipe", "--init", "model.onnx", "model.onnx"], r"The output 'model\.onnx' is the input")


def test_rules_change_what_the_model_computes(desk, recipe):
    """Each rule of RULES leaves its trace in the file."""
    desk.quantize("--recipe", recipe)
    model = onnx.load(desk / "out.onnx")
    scales = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    cuts = {
        node.input[0]: scales[node.input[1]].shape
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in scales
    }
    assert sum(shape == () for shape in cuts.values()) == 1
    assert len(cuts) == 11  # ten convolutions and the included Gemm
    assert all(np.all(value > 0) for name, value in scales.items() if "scale" in name)
