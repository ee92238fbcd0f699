"""All models of the zoo: the outputs stay, and nothing is left that planning would stumble over."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import pytest
from tests.zoo import preprocess

from onnxq.stages.prepare import prepare

ZOO = Path(os.environ.get("ONNXQ_ZOO", ""))
NAMES = sorted(path.stem for path in (ZOO / "models").glob("*.onnx")) if "ONNXQ_ZOO" in os.environ else []
GONE = {"Constant", "Identity", "Dropout", "BatchNormalization"}

pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not NAMES, reason="ONNXQ_ZOO names no model zoo")]


def signature(values):
    return [(value.name, value.type) for value in values]


@pytest.mark.parametrize("name", NAMES)
def test_a_zoo_model_stays_what_it_is(name, run, evaluate, assert_same):
    model = onnx.load(ZOO / "models" / f"{name}.onnx")
    weights = {tensor.name for tensor in model.graph.initializer}
    after = prepare(model, evaluate).model
    onnx.checker.check_model(after, full_check=True)
    for feed in preprocess().feeds(name, "calib", limit=4, batch=1):
        assert_same(run(model, feed), run(after, feed))
    assert signature(after.graph.input) == signature(v for v in model.graph.input if v.name not in weights)
    assert signature(after.graph.output) == signature(model.graph.output)
    assert after.opset_import[0].version >= 19
    assert not GONE & {node.op_type for node in after.graph.node}
    names = [node.name for node in after.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
