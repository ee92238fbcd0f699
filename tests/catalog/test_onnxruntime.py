"""The table for ONNX Runtime: what it quantizes becomes an integer kernel, and nothing is converted in between."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import onnxq

RNG = np.random.default_rng(0)
RECIPE = onnxq.Recipe(target="onnxruntime")


def weight(*shape):
    return RNG.normal(0, 0.3, shape).astype(np.float32)


def model(nodes, weights, shape=("n", 8, 8, 8)):
    """A chain or small graph: x -> y."""
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs, outputs, f"{op}_{i}", **more)
            for i, (op, inputs, outputs, more) in enumerate(nodes)
        ],
        "net",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def conv(before, after, weights, channels=8, name=None):
    """A 3x3 convolution with a bias."""
    name = name or f"w_{after}"
    weights[name], weights[f"{name}_b"] = weight(channels, 8, 3, 3), weight(channels)
    return ("Conv", [before, name, f"{name}_b"], [after], {"pads": [1, 1, 1, 1]})


def kernels(quantized, folder):
    """How often ONNX Runtime runs each operator, after all its optimizations."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(quantized.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


NETS = {}


def net(build):
    NETS[build.__name__] = build
    return build


@net
def conv_relu_conv(w):
    return [conv("x", "a", w), ("Relu", ["a"], ["b"], {}), conv("b", "y0", w)], {"QLinearConv": 2}


@net
def conv_clip_conv(w):
    w["low"], w["high"] = np.float32(0), np.float32(0.7)
    return [conv("x", "a", w), ("Clip", ["a", "low", "high"], ["b"], {}), conv("b", "y0", w)], {"QLinearConv": 2}


@net
def a_residual_block(w):
    nodes = [conv("x", "a", w), ("Relu", ["a"], ["b"], {}), conv("b", "c", w), ("Relu", ["c"], ["d"], {})]
    nodes += [conv("d", "e", w), ("Add", ["e", "b"], ["f"], {}), ("Relu", ["f"], ["g"], {}), conv("g", "y0", w)]
    return nodes, {"QLinearConv": 4, "QLinearAdd": 1}


@net
def a_silu(w):
    nodes = [conv("x", "a", w), ("Sigmoid", ["a"], ["b"], {}), ("Mul", ["a", "b"], ["c"], {}), conv("c", "y0", w)]
    return nodes, {"QLinearConv": 2, "QLinearSigmoid": 1, "QLinearMul": 1}


@net
def a_gate(w):
    nodes = [
        conv("x", "a", w),
        ("GlobalAveragePool", ["a"], ["b"], {}),
        conv("b", "c", w),
        ("Sigmoid", ["c"], ["d"], {}),
    ]
    nodes += [("Mul", ["a", "d"], ["e"], {}), conv("e", "y0", w)]
    return nodes, {"QLinearConv": 3, "QLinearGlobalAveragePool": 1, "QLinearSigmoid": 1, "QLinearMul": 1}


@net
def a_concat_of_two_ranges(w):
    nodes = [
        conv("x", "a", w),
        ("Relu", ["a"], ["b"], {}),
        conv("x", "c", w),
        ("Concat", ["b", "c"], ["d"], {"axis": 1}),
    ]
    w["w_y"], w["b_y"] = weight(8, 16, 1, 1), weight(8)
    return [*nodes, ("Conv", ["d", "w_y", "b_y"], ["y0"], {})], {"QLinearConv": 3, "QLinearConcat": 1}


@net
def pools_and_copies(w):
    w["shape"] = np.int64([0, 2, 4, -1])
    w["back"] = np.int64([0, 8, 4, -1])
    nodes = [
        conv("x", "a", w),
        ("MaxPool", ["a"], ["b"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        conv("b", "c", w),
    ]
    nodes += [("Reshape", ["c", "shape"], ["d"], {}), ("Transpose", ["d"], ["e"], {"perm": [0, 2, 1, 3]})]
    nodes += [
        ("Reshape", ["e", "back"], ["f"], {}),
        conv("f", "g", w),
        ("AveragePool", ["g"], ["h"], {"kernel_shape": [2, 2]}),
    ]
    return [*nodes, conv("h", "y0", w)], {"QLinearConv": 4, "QLinearAveragePool": 1}


@net
def a_nearest_resize(w):
    w["scales"] = np.float32([1, 1, 2, 2])
    mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    nodes = [conv("x", "a", w), ("Resize", ["a", "", "scales"], ["b"], mode), conv("b", "y0", w)]
    return nodes, {"QLinearConv": 2, "Resize": 1}


@pytest.mark.parametrize("name", NETS)
def test_every_kernel_computes_with_integers(name, tmp_path):
    weights = {}
    nodes, wanted = NETS[name](weights)
    nodes.append(("Relu", ["y0"], ["y1"], {}))  # what comes last is float: a kernel writes integers only
    nodes.append(("ReduceMean", ["y1"], ["y"], {"axes": [2, 3]}))
    calib = {"x": RNG.normal(size=(64, 8, 8, 8)).astype(np.float32)}
    result = onnxq.quantize(model(nodes, weights), calib, RECIPE)
    found = kernels(result.model, tmp_path)
    assert {op: found[op] for op in wanted} == wanted
    assert not {op for op in found if op in ("Conv", "FusedConv", "Add", "Mul", "Sigmoid", "Concat", "Relu")}
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (1, 1)  # the border, and nothing inside
    assert result.report.fidelity.figures["y"]["sqnr"] > 25


def test_a_matrix_product_and_its_bias_are_one_kernel(tmp_path):
    weights = {"w": weight(16, 16), "b": weight(16), "w2": weight(16, 16)}
    nodes = [("MatMul", ["x", "w"], ["a"], {}), ("Add", ["a", "b"], ["c"], {}), ("MatMul", ["c", "w2"], ["d"], {})]
    nodes.append(("ReduceMean", ["d"], ["y"], {"axes": [1]}))
    calib = {"x": RNG.normal(size=(64, 16)).astype(np.float32)}
    found = kernels(onnxq.quantize(model(nodes, weights, ("n", 16)), calib, RECIPE).model, tmp_path)
    assert found["QGemm"] + found["QLinearMatMul"] == 2
    assert not {"MatMul", "Gemm", "Add"} & found.keys()


def test_what_computes_a_model_output_stays_in_float_and_says_so():
    weights = {}
    nodes = [conv("x", "a", weights), ("Relu", ["a"], ["b"], {}), conv("b", "y", weights)]
    calib = {"x": RNG.normal(size=(16, 8, 8, 8)).astype(np.float32)}
    plan = onnxq.quantize(model(nodes, weights), calib, RECIPE).plan
    reasons = {decision.reason for decision in plan.refused if decision.site.node == "Conv_2"}
    assert "it computes a model output, and its kernel only writes integers" in reasons


def test_activations_use_all_codes_and_zero_has_its_own():
    weights = {}
    nodes = [
        conv("x", "a", weights),
        ("Relu", ["a"], ["b"], {}),
        conv("b", "c", weights),
        ("ReduceMean", ["c"], ["y"], {}),
    ]
    calib = {"x": RNG.normal(1.0, 1.0, size=(64, 8, 8, 8)).astype(np.float32)}
    result = onnxq.quantize(model(nodes, weights), calib, onnxq.Recipe(target="onnxruntime", calibrator="max"))
    params, low, high = result.scales.activations, calib["x"].min(), calib["x"].max()
    assert params["b"].zero_point == 0
    assert params["x"].scale == pytest.approx((high - low) / 255)
    assert params["x"].zero_point == round(-low / float(params["x"].scale))


def test_a_plan_can_be_edited(tmp_path):
    weights = {}
    nodes = [
        conv("x", "a", weights),
        ("Relu", ["a"], ["b"], {}),
        conv("b", "c", weights),
        ("ReduceMean", ["c"], ["y"], {}),
    ]
    calib = {"x": RNG.normal(size=(16, 8, 8, 8)).astype(np.float32)}
    net = model(nodes, weights)
    made = onnxq.quantize(net, calib, RECIPE)
    again = onnxq.quantize(net, calib, RECIPE, plan=made.plan)
    assert again.model == made.model


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["cifar10_resnet20", "cifar10_resnet8_mlperf", "cifar10_mobilenetv2"])
def test_the_zoo_runs_on_integer_kernels(name, tmp_path):
    from tests.e2e.test_zoo import ZOO, preprocess  # noqa: PLC0415 - needs the zoo

    inputs, _ = preprocess().load(name, "calib", 64)
    held_out, _ = preprocess().load(name, "eval", 200)
    result = onnxq.quantize(ZOO / "models" / f"{name}.onnx", inputs, RECIPE, evaluation=held_out)
    found = kernels(result.model, tmp_path)
    assert found["QLinearConv"] >= 9
    assert not {"Conv", "FusedConv"} & found.keys()
    assert all(figures["sqnr"] > 24 for figures in result.report.fidelity.figures.values())
