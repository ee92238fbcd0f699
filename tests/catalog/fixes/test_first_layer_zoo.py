"""first-layer on a real model that does its own preprocessing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import compose, helper
from tests.conftest import ZOO
from tests.net import Net
from tests.zoo import preprocess

import onnxq
from onnxq import Recipe
from onnxq.runtimes.tensorrt import compile_ahead_of_time, compute_nodes, int8_nodes

pytestmark = [pytest.mark.zoo, pytest.mark.slow]


def with_preprocessing(batch: int | str) -> onnx.ModelProto:
    """cifar10_resnet20 of images as they are stored: bytes, colours last."""
    net = Net()
    tensor = net.node("Cast", net.input("image", batch, 32, 32, 3), to=onnx.TensorProto.FLOAT)
    tensor = net.node("Div", tensor, net.constant("white", 255.0))
    tensor = net.node("Sub", tensor, net.constant("mean", preprocess().MEAN))
    tensor = net.node("Div", tensor, net.constant("deviation", preprocess().STD))
    net.node("Transpose", tensor, perm=[0, 3, 1, 2], out="ready")
    front, model = net.model("ready"), onnx.load(ZOO / "models" / "cifar10_resnet20.onnx")
    front.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    del front.opset_import[:]
    front.opset_import.extend(model.opset_import)
    front.ir_version = model.ir_version
    joined = compose.merge_models(front, model, [("ready", model.graph.input[0].name)])
    joined.graph.output[0].type.tensor_type.shape.dim[0].CopyFrom(
        helper.make_tensor_value_info("", 1, [batch]).type.tensor_type.shape.dim[0]
    )
    return joined


def images(split: str, count: int) -> dict[str, np.ndarray]:
    return {"image": preprocess().read(ZOO / "data" / f"cifar10_{split}.npz", count)["x"]}


@pytest.fixture(scope="module")
def results() -> tuple[onnxq.Result, onnxq.Result]:
    calib, held_out = images("calib", 256), images("eval", 400)
    plain, exact = (
        onnxq.quantize(with_preprocessing("N"), calib, Recipe(fixes=fixes), evaluation=held_out)
        for fixes in ((), ("first-layer",))
    )
    return plain, exact


def test_it_loses_less_with_fewer_nodes(results):
    _, exact = results
    decibels = [figures["sqnr"] for result in results for figures in result.report.fidelity.figures.values()]
    assert decibels[1] > decibels[0] + 0.5
    counts = [Counter(node.op_type for node in result.model.graph.node) for result in results]
    assert counts[0] - counts[1] == {"Div": 2}  # and a Sub for a Sub
    assert counts[1] - counts[0] == {"Add": 1}  # for the borders
    (attempt,) = exact.report.fixes.attempts
    assert attempt.drift < 1e-5
    assert attempt.notes[0].endswith(", in place of Div, Sub, Div.")


@pytest.mark.tensorrt
def test_tensorrt_for_rtx_reads_integers_in_the_first_layer_too(results):
    plans = [compile_ahead_of_time(result.model) for result in results]
    assert [len(int8_nodes(plan)) for plan in plans] == [len(int8_nodes(plans[0]))] * 2
    first = next(node.name for node in results[1].model.graph.node if node.op_type == "Conv")
    assert first in compute_nodes(plans[1])
    assert first in int8_nodes(plans[1])
