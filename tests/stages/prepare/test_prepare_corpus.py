"""The models that ONNX tests its own backends with: each comes out equal, or is refused by a ModelError.

What onnxruntime cannot load, or cannot run through Python (bfloat16, float8, int4), is only prepared.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx.backend.test.case.node import collect_testcases
from onnx.numpy_helper import to_array

from onnxq.errors import ModelError, RuntimeFailure
from onnxq.stages.prepare import prepare

pytestmark = pytest.mark.slow

FOLDERS = Path(onnx.backend.test.__file__).parent / "data"
FILES = sorted(FOLDERS.glob("[ps]*/*/model.onnx"))  # pytorch-converted, pytorch-operator, simple
LIGHT = sorted((FOLDERS / "light").glob("*.onnx"))
PARTS = 20
RANDOM = ("bernoulli", "dropout", "training")
ORT_BUG = "affine_grid_2d"  # onnxruntime 1.32 cannot inline an If whose condition is an initializer


@cache
def node_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy complains about the corner cases that the data hold
        return [case for case in collect_testcases(None) if case.model is not None]


def array(value):
    if isinstance(value, list | tuple):
        return [array(item) for item in value]
    return to_array(value) if isinstance(value, onnx.TensorProto) else value if value is None else np.asarray(value)


def outcome(model, feeds, run):
    """What onnxruntime makes of the model, or None where it makes nothing."""
    try:
        return list(run(model, feeds).values())
    except RuntimeFailure:
        return None


def is_same(a, b):
    if isinstance(a, list) or a is None:
        return type(a) is type(b) and (a is None or (len(a) == len(b) and all(map(is_same, a, b))))
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) if a.dtype.kind in "fc" else bool((a == b).all())


def check(name, model, feeds, run, evaluate):
    try:
        after = prepare(model, evaluate).model
    except ModelError:
        return "refused"
    expected = outcome(model, feeds, run)
    if expected is None or any(word in name for word in RANDOM) or ORT_BUG in name:
        return "prepared"
    actual = outcome(after, {value.name: feeds[value.name] for value in after.graph.input}, run)
    assert actual is not None, f"{name}: onnxruntime does not run the prepared model"
    assert is_same(expected, actual), f"{name}: other outputs"
    return "equal"


@pytest.mark.parametrize("part", range(PARTS))
def test_every_operator_computes_the_same(part, run, evaluate):
    outcomes = []
    for case in node_cases()[part::PARTS]:
        inputs, _ = next(iter(case.data_sets or []), ([], []))
        feeds = dict(zip((value.name for value in case.model.graph.input), map(array, inputs), strict=False))
        outcomes.append(check(case.name, case.model, feeds, run, evaluate))
    assert outcomes.count("equal") > len(outcomes) / 2
    assert outcomes.count("refused") <= 2


@pytest.mark.parametrize("opset", [6, 8])
def test_models_of_old_exporters_compute_the_same_or_are_refused(opset, run, evaluate):
    """They import opset 6, which is refused; most of them mean the same in opset 8."""
    outcomes = []
    for path in FILES:
        model = onnx.load(path)
        model.opset_import[0].version = max(opset, model.opset_import[0].version)
        tensors = [onnx.load_tensor(file) for file in sorted(path.parent.glob("test_data_set_0/input_*.pb"))]
        feeds = {value.name: to_array(t) for value, t in zip(model.graph.input, tensors, strict=False)}
        outcomes.append(check(path.parent.name, model, feeds, run, evaluate))
    assert outcomes.count("refused" if opset == 6 else "equal") > 80


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_whole_networks_with_weights_made_up_can_be_prepared(path, evaluate):
    model = onnx.load(path)
    after = prepare(model, evaluate).model
    onnx.checker.check_model(after, full_check=True)
    assert [value.name for value in after.graph.output] == [value.name for value in model.graph.output]
