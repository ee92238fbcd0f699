"""Each rule finds what it is for, and nothing else."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from tests.net import Net, ones
from tests.stages.lint.faults import FAULTS, Fault

from onnxq.core.finding import Finding
from onnxq.errors import RuntimeFailure
from onnxq.pipeline.linting import lint
from onnxq.runtimes.tensorrt import compile_ahead_of_time, compute_nodes, int8_nodes
from onnxq.stages.lint import RULES


def rules(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
class TestFaults:
    def test_it_is_found_and_nothing_else(self, fault: Fault) -> None:
        findings = lint(fault.make())
        assert rules(findings) == fault.rules
        assert fault.node in {finding.node for finding in findings}

    def test_each_finding_says_what_where_why_and_what_to_do(self, fault: Fault) -> None:
        for finding in lint(fault.make()):
            assert finding.node in finding.text
            assert finding.fix.endswith(".")
            assert finding.source

    @pytest.mark.tensorrt
    def test_tensorrt_for_rtx_says_so_too(self, fault: Fault) -> None:
        if fault.rtx == "crashes":
            pytest.skip("TensorRT for RTX 1.7 dies of it, and this process with it")
        refused = any(finding.severity == "error" for finding in lint(fault.make()))
        if fault.rtx == "refuses":
            assert refused
            with pytest.raises(RuntimeFailure, match=r"refuses the model|cannot build it"):
                compile_ahead_of_time(fault.make())
        else:
            plan = compile_ahead_of_time(fault.make())
            assert (int8_nodes(plan) < compute_nodes(plan)) == (fault.rtx == "float")


def test_each_rule_has_its_fault() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {*names, "no-qdq"} == {rule for fault in FAULTS for rule in fault.rules}


def stored_as_integers() -> onnx.ModelProto:
    net = Net()
    relu = net.node("Relu", net.conv(net.pair(net.input()), "c"), out="r")
    return net.model(net.conv(net.pair(relu), "d"))


def stored_as_floats_with_a_pair() -> onnx.ModelProto:
    net = Net()
    weight = net.pair(net.constant("w", ones(16, 16, 3, 3, dtype="f4")), np.full(16, 0.01, "f4"), axis=0)
    return net.model(net.conv(net.pair(net.input()), "c", weight))


def in_float16() -> onnx.ModelProto:
    net = Net(np.float16)
    relu = net.node("Relu", net.conv(net.pair(net.input()), "c"), out="r")
    return net.model(net.conv(net.pair(relu), "d"))


def with_scales_in_constant_nodes() -> onnx.ModelProto:
    net = Net()
    scale = net.node("Constant", out="s", value_float=0.05)
    net.constant("h", np.float16(0.5))
    first = net.conv(net.pair(net.input(), scale), "c")
    return net.model(net.conv(net.pair(first, net.node("Cast", "h", out="f", to=1)), "d"))


def with_copies_between_quantizelinear_and_dequantizelinear() -> onnx.ModelProto:
    net = Net()
    pool = net.node("MaxPool", net.quantize(net.input()), out="p", kernel_shape=[2, 2])
    return net.model(net.conv(net.dequantize(pool), "c"))


def with_pairs_of_onnxruntimes_domain() -> onnx.ModelProto:
    net = Net()
    return net.model(net.conv(net.pair(net.input(), domain="com.microsoft"), "c"))


def with_a_transposed_weight() -> onnx.ModelProto:
    net = Net()
    net.node("Transpose", net.weight("w", 24, 32), out="t", perm=[1, 0])
    return net.model(net.node("MatMul", net.pair(net.input("x", 8, 32)), "t", out="y"))


def with_integers_at_its_ends() -> onnx.ModelProto:
    net = Net()
    model = net.model(net.quantize(net.conv(net.dequantize(net.input()), "c")))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    return model


def with_a_product_of_one_scale_that_is_split() -> onnx.ModelProto:
    net = Net(opset=18)
    net.node("MatMul", net.pair(net.input("x", 2, 64, 32)), net.weight("w", 32, 96, axis=None), out="y")
    net.nodes.append(onnx.helper.make_node("Split", ["y"], ["q", "k", "v"], "split", axis=2, num_outputs=3))
    return net.model("q", "k", "v")


def with_an_int4_weight_in_blocks() -> onnx.ModelProto:
    net = Net(opset=21)
    weight = net.constant("w", ones(32, 64, dtype=ml_dtypes.int4))
    scales, zeros = np.full((2, 64), 0.01, np.float32), ml_dtypes.int4(0)
    right = net.dequantize(weight, scales, zeros, axis=0, block_size=16)
    return net.model(net.node("MatMul", net.input("x", 8, 32), right, out="y"))


def in_float8() -> onnx.ModelProto:
    net = Net()
    zero = ml_dtypes.float8_e4m3fn(0)
    right = net.dequantize(net.constant("w", ones(32, 64, dtype=zero.dtype)), zero=zero)
    return net.model(net.node("MatMul", net.pair(net.input("x", 8, 32), zero=zero), right, out="y"))


@pytest.mark.parametrize("make", [with_an_int4_weight_in_blocks, in_float8], ids=lambda make: make.__name__)
def test_other_types_of_tensorrt_are_right_too(make) -> None:
    assert lint(make()) == ()


RIGHT = (
    stored_as_integers,
    stored_as_floats_with_a_pair,
    in_float16,
    with_scales_in_constant_nodes,
    with_copies_between_quantizelinear_and_dequantizelinear,
    with_pairs_of_onnxruntimes_domain,
    with_a_transposed_weight,
    with_integers_at_its_ends,
    with_a_product_of_one_scale_that_is_split,
)


@pytest.mark.parametrize("make", RIGHT, ids=lambda make: make.__name__)
class TestRightModels:
    def test_nothing_is_found(self, make) -> None:
        assert lint(make()) == ()

    @pytest.mark.tensorrt
    def test_tensorrt_for_rtx_runs_all_of_it_in_int8(self, make) -> None:
        plan = compile_ahead_of_time(make())
        assert int8_nodes(plan) == compute_nodes(plan) != frozenset()
