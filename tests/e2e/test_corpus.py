"""Any model that ONNX Runtime loads comes out valid or is refused with an OnnxqError; no other exception escapes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.backend.test.case.node import collect_testcases
from onnx.numpy_helper import to_array
from tests.e2e.random_graphs import Drawn, Tensors, draw, run

import onnxq
from onnxq.errors import InputError, OnnxqError

pytestmark = pytest.mark.slow

FOLDERS = Path(onnx.backend.test.__file__).parent / "data"
FILES = sorted(FOLDERS.glob("[ps]*/*/model.onnx"))  # pytorch-converted, pytorch-operator, simple
LIGHT = sorted((FOLDERS / "light").glob("*.onnx"))
PARTS = 10
SEEDS = 400


def outcome(model: onnx.ModelProto, feeds: Sequence[Tensors]) -> str:
    """'quantized' or 'refused'; anything else that happens fails the test."""
    before = model.SerializeToString()
    expected = results(model, feeds)
    quantized = None
    try:
        quantized = onnxq.quantize(model, list(feeds)).model
    except OnnxqError as error:
        refusal = error
    assert model.SerializeToString() == before
    if quantized is None:
        assert isinstance(refusal, InputError) or expected is None or is_ort_bug(model), refusal
        return "refused"
    assert expected is not None, "a model that does not run was quantized"
    check(model, quantized)
    for feed, wanted in zip(feeds, expected, strict=True):
        for plain in (True, False):
            found = run(quantized, feed, plain)
            for name, array in wanted.items():
                compare(name, array, found[name])
    return "quantized"


def is_ort_bug(model: onnx.ModelProto) -> bool:
    """Whether ONNX Runtime 1.32 fails as soon as the model's constants are folded: an If with a constant condition."""
    return "affine_grid_2d" in model.graph.name


def results(model: onnx.ModelProto, feeds: Sequence[Tensors]) -> list[Tensors] | None:
    """What ONNX Runtime makes of the model, None if it makes nothing."""
    try:
        return [run(model, feed) for feed in feeds]
    except Exception:  # noqa: BLE001 - onnxruntime's exceptions have no common base
        return None


def check(model: onnx.ModelProto, quantized: onnx.ModelProto) -> None:
    assert any(node.op_type == "DequantizeLinear" for node in quantized.graph.node)
    weights = {tensor.name for tensor in model.graph.initializer}
    interfaces = [
        [[(v.name, v.type.tensor_type.elem_type) for v in values if v.name not in weights or values is m.graph.output]
         for values in (m.graph.input, m.graph.output)]
        for m in (model, quantized)
    ]  # fmt: skip
    assert interfaces[0] == interfaces[1]
    if passes_checker(model):
        onnx.checker.check_model(quantized, full_check=True)


def passes_checker(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def compare(name: str, wanted: object, found: object) -> None:
    """Same type and shape, and a finite number wherever FP32 has one."""
    if not isinstance(wanted, np.ndarray):
        assert type(wanted) is type(found), name
        return
    assert isinstance(found, np.ndarray), name
    assert (wanted.shape, wanted.dtype) == (found.shape, found.dtype), name
    if wanted.dtype.kind == "f":
        assert np.isfinite(found[np.isfinite(wanted)]).all(), name


def array(value: object) -> object:
    if isinstance(value, list | tuple):
        return [array(item) for item in value]
    return to_array(value) if isinstance(value, onnx.TensorProto) else value if value is None else np.asarray(value)


@cache
def node_cases() -> list:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy complains about the corner cases that the data hold
        return [case for case in collect_testcases(None) if case.model is not None]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_operator_that_onnx_has(part):
    """One node each. Most are refused, as there is nothing to quantize."""
    found = Counter()
    for case in node_cases()[part::PARTS]:
        inputs, _ = next(iter(case.data_sets or []), ([], []))
        feeds = dict(zip((v.name for v in case.model.graph.input), map(array, inputs), strict=False))
        try:
            found[outcome(case.model, [feeds])] += 1
        except BaseException as error:
            raise AssertionError(case.name) from error
    assert found["refused"] > 100


@pytest.mark.parametrize("opset", [6, 8])
def test_models_of_old_exporters(opset):
    """They import opset 6, which is refused; most of them mean the same in opset 8."""
    found = Counter()
    for path in FILES:
        model = onnx.load(path)
        model.opset_import[0].version = max(opset, model.opset_import[0].version)
        tensors = [onnx.load_tensor(file) for file in sorted(path.parent.glob("test_data_set_0/input_*.pb"))]
        feeds = {v.name: to_array(t) for v, t in zip(model.graph.input, tensors, strict=False)}
        try:
            found[outcome(model, [feeds])] += 1
        except BaseException as error:
            raise AssertionError(path.parent.name) from error
    assert found["refused"] > 80


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_whole_networks_with_weights_made_up(path):
    """Their weights are computed when the model is loaded, so nothing overflows only by chance."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    rng = np.random.default_rng(0)
    feeds = {
        v.name: rng.normal(size=[d.dim_value or 1 for d in v.type.tensor_type.shape.dim]).astype(np.float32)
        for v in model.graph.input
        if v.name not in weights
    }
    assert outcome(model, [feeds]) in ("quantized", "refused")


@settings(max_examples=SEEDS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(10**6, 10**9))
def test_random_graphs(seed):
    drawn = draw(seed)
    outcome(drawn.model, drawn.feeds)


def test_random_graphs_hold_what_they_should():
    """Or the test above would not test much: half of them are quantized, and all operators occur."""
    drawn = [draw(seed) for seed in range(200)]
    ops = Counter(op for one in drawn for op in set(one.ops))
    assert sum(is_quantized(one) for one in drawn[:60]) > 20
    assert set(ops) >= set("Conv ConvTranspose Gemm MatMul Add Concat MaxPool If Cast Identity Resize Split".split())
    assert {one.model.opset_import[0].version for one in drawn} == set(range(9, 22))


def is_quantized(drawn: Drawn) -> bool:
    try:
        return bool(onnxq.quantize(drawn.model, drawn.feeds).plan.quantized)
    except InputError:
        return False
