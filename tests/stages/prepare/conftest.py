"""What the tests of this stage share: onnxruntime as the judge, and models written as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from onnxq.errors import RuntimeFailure
from onnxq.stages.prepare import Context, Prepared, prepare

Tensors = Mapping[str, np.ndarray]


def _run(model: onnx.ModelProto, feeds: Tensors) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return dict(zip([o.name for o in session.get_outputs()], session.run(None, dict(feeds)), strict=True))
    except Exception as cause:  # onnxruntime's exceptions have no common base
        raise RuntimeFailure(str(cause)) from cause


def _evaluate(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return _run(model, {})


def _parse(body: str, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """A model from the text of its graph; what follows the graph may be local functions of the domain "local"."""
    return onnx.parser.parse_model(f'<ir_version: {ir_version}, opset_import: ["": {opset}, "local": 1]> {body}')


def _assert_same(expected: Tensors, actual: Tensors, tolerance: float = 1e-4) -> None:
    """Same names in the same order, shapes and types; difference at most `tolerance` of the largest value."""
    assert list(expected) == list(actual)
    for name, array in expected.items():
        assert (actual[name].shape, actual[name].dtype) == (array.shape, array.dtype), name
        if array.dtype.kind == "f" and array.size:
            limit = tolerance * max(float(np.abs(array).max()), 1e-6)
            np.testing.assert_allclose(actual[name], array, rtol=0, atol=limit, err_msg=name)
        else:
            np.testing.assert_array_equal(actual[name], array, err_msg=name)


def _random_feeds(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Normal numbers for every float input that is no initializer; 2 for every unknown dimension."""
    rng = np.random.default_rng(0)
    weights = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name not in weights:
            shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            feeds[value.name] = np.asarray(rng.normal(size=shape) * 3).astype(dtype)
    return feeds


@pytest.fixture
def run() -> Callable[..., dict[str, np.ndarray]]:
    return _run


@pytest.fixture
def evaluate() -> Callable[[onnx.ModelProto], dict[str, np.ndarray]]:
    return _evaluate


@pytest.fixture
def parse() -> Callable[..., onnx.ModelProto]:
    return _parse


@pytest.fixture
def assert_same() -> Callable[..., None]:
    return _assert_same


@pytest.fixture
def apply() -> Callable[..., tuple[int, onnx.ModelProto]]:
    """Runs one pass on a copy: how many places it changed, and the model."""

    def apply(step: Callable[[ir.Model, Context], int], model: onnx.ModelProto, opset: int = 19):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        ir_model = ir.from_proto(copy)
        count = step(ir_model, Context(_evaluate, opset))
        return count, ir.to_proto(ir_model)

    return apply


@pytest.fixture
def prepared() -> Callable[..., Prepared]:
    """Prepares a model and checks what holds for every model: valid ONNX, same signature, same outputs."""

    def prepared(model: onnx.ModelProto, opset: int = 19, feeds: Tensors | None = None) -> Prepared:
        before = model.SerializeToString()
        result = prepare(model, _evaluate, opset)
        assert model.SerializeToString() == before
        onnx.checker.check_model(result.model, full_check=True)
        feeds = _random_feeds(model) if feeds is None else feeds
        _assert_same(_run(model, feeds), _run(result.model, feeds))
        return result

    return prepared
