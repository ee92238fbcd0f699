"""Quantization parameters of SuperGradients: translated, with a sentence for what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sketch import sketch

from onnxq import recipes
from onnxq.core.recipe import Recipe

DEFAULTS = """
ptq_only: False              # whether to launch QAT, or leave PTQ only
selective_quantizer_params:
  calibrator_w: "max"        # calibrator type for weights, acceptable types are ["max", "histogram"]
  calibrator_i: "histogram"  # calibrator type for inputs acceptable types are ["max", "histogram"]
  per_channel: True          # per-channel quantization of weights, activations stay per-tensor by default
  learn_amax: False          # enable learnable amax in all TensorQuantizers using straight-through estimator
  skip_modules:              # optional list of module names (strings) to skip from quantization

calib_params:
  histogram_calib_method: "percentile"  # calibration method for all "histogram" calibrators
  percentile: 99.99                     # percentile for all histogram calibrators with method "percentile"
  num_calib_batches:                    # number of batches to use for calibration, if None, 512 / batch_size
  verbose: False                        # if calibrator should be verbose
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> recipes.RecipeFile:
        Path("sg.yaml").write_text(text)
        return recipes.read(Path("sg.yaml"))

    return read


def test_its_defaults_are_percentile_for_activations_and_max_for_weights(read):
    found = read(DEFAULTS)
    assert found.recipe == Recipe(calibrator="percentile", percentile=99.99, weight_calibrator="max")
    assert found.notes == (
        "sg.yaml:2: 'ptq_only' is not carried over: nothing is trained here, so this is post-training quantization.",
    )


@pytest.mark.parametrize("inside", [False, True])
def test_every_parameter_is_translated_or_told(read, inside):
    lines = """
ptq_only: true
selective_quantizer_params: {calibrator_w: histogram, calibrator_i: max, per_channel: false, learn_amax: true}
calib_params: {histogram_calib_method: entropy, num_calib_batches: 16, verbose: true}
"""
    text = "quantization_params:\n" + lines.replace("\n", "\n  ") if inside else lines
    line = 3 if inside else 2
    found = read(text)
    assert found.recipe == Recipe(calibrator="max", weight_calibrator="entropy", weight_granularity="per_tensor")
    assert found.notes == (
        f"sg.yaml:{line + 1}: 'learn_amax' is not carried over: ranges are measured here, not learned.",
        f"sg.yaml:{line + 2}: 'num_calib_batches' is not carried over: give --num-samples, 16 times the batch size of "
        "training.",
        f"sg.yaml:{line + 2}: 'verbose' is not carried over: give -v.",
    )


@pytest.mark.parametrize("method", ["percentile", "mse", "entropy", "max"])
def test_a_histogram_is_read_by_the_method(read, method):
    found = read(f"calib_params:\n  histogram_calib_method: {method}\n")
    assert (found.recipe.calibrator, found.recipe.weight_calibrator) == (method, "max")


def test_what_else_a_training_recipe_holds_is_told(read):
    found = read("calib_params:\n  percentile: 99\ntraining_hyperparams: {max_epochs: 10}\n")
    assert found.notes == ("sg.yaml:3: 'training_hyperparams' is no quantization parameter, and is not carried over.",)


def test_skipped_modules_are_looked_for_among_exported_names(read):
    found = read("selective_quantizer_params:\n  skip_modules: [layer4.0.conv1, linear]\n")
    view = sketch("a = Conv(x)\nb = Conv(a)\nc = Conv(b)\nd = Conv(c)\ne = Gemm(d)\nf = Gemm(e)")
    names = ["/layer4/layer4.0/conv1/Conv", "/layer4/0/conv1/Conv", "/layer4/layer4.0/conv11/Conv"]
    names += ["/layer3/layer3.0/conv1/Conv", "/linear/Gemm", "/head/linear/Gemm"]
    nodes = tuple(
        type(node)(name, node.op, node.inputs, node.outputs) for name, node in zip(names, view.nodes, strict=True)
    )
    view = type(view)(nodes, view.inputs, view.outputs, {}, {}, {})
    conv, linear = found.recipe.skip
    assert conv.select(view, frozenset()) == set(names[:2])
    assert linear.select(view, frozenset()) == {"/linear/Gemm"}
    assert conv.origin == "sg.yaml:2"
    assert found.notes[1] == (
        r"sg.yaml:2: The PyTorch module 'linear' is looked for among the nodes as 're:^/?([^/]*\.)?linear(/|$)'."
    )
