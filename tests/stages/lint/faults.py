"""Models that are wrong in one way each, and what TensorRT for RTX 1.7 does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from tests.net import Net, ones

Verdict = Literal["refuses", "float", "takes", "crashes"]


@dataclass(frozen=True)
class Fault:
    """A wrong model.

    Attributes:
        rules: what must be found, and nothing else.
        node: a node that one of the findings names.
        make: builds the model.
        rtx: what TensorRT for RTX does: it refuses the model, runs some convolution or product in float, takes the
            model as if nothing were wrong, or crashes.
    """

    rules: frozenset[str]
    node: str
    make: Callable[[], onnx.ModelProto]
    rtx: Verdict

    @property
    def name(self) -> str:
        return self.make.__name__


FAULTS: list[Fault] = []


def fault(rules: str, node: str, rtx: Verdict = "takes") -> Callable[[Callable[[], onnx.ModelProto]], None]:
    """Enters a model in the table."""

    def enter(make: Callable[[], onnx.ModelProto]) -> None:
        FAULTS.append(Fault(frozenset(rules.split()), node, make, rtx))

    return enter


def product(op: str, *shape: int, axis: int | None, rows: tuple[int, ...] = (8, 32), **attributes: int) -> Net:
    net = Net()
    net.node(op, net.pair(net.input("x", *rows)), net.weight("w", *shape, axis=axis), out="y", **attributes)
    return net


# Scales and zero points


@fault("zero-point", "x_Q", "refuses")
def a_zero_point_of_3():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), zero=np.int8(3)), "c"))


@fault("zero-point integer-type", "x_Q", "refuses")
def onnxruntimes_default_of_uint8_around_128():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), zero=np.uint8(128)), "c"))


@fault("zero-point", "w_DQ", "refuses")
def one_zero_point_for_16_scales():
    net = Net()
    weight = net.dequantize(net.constant("w", ones(16, 16, 3, 3)), np.full(16, 0.01, "f4"), net.zeros("z", 1), axis=0)
    return net.model(net.conv(net.pair(net.input()), "c", weight))


@fault("zero-point", "x_Q", "refuses")
def a_zero_point_computed_at_run_time():
    net = Net()
    low = net.node("ReduceMin", net.input(), out="low", keepdims=0)
    return net.model(net.conv(net.pair("x", zero=net.node("Cast", low, out="z", to=3)), "c"))


@fault("run-time-scale", "x_Q", "crashes")
def a_scale_computed_at_run_time():
    net = Net()
    scale = net.node("ReduceMax", net.input(), out="s", keepdims=0)
    return net.model(net.conv(net.pair("x", scale), "c"))


@fault("run-time-scale", "x_DQ", "crashes")
def a_scale_that_is_an_input():
    net = Net()
    net.input()
    net.inputs["s"] = ()
    return net.model(net.conv(net.pair("x", "s"), "c"))


@fault("scale-value", "x_Q", "refuses")
def a_scale_of_0():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), 0.0), "c"))


@fault("scale-value", "x_Q", "refuses")
def a_negative_scale():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), -0.05), "c"))


@fault("scale-value", "x_Q")
def an_infinite_scale():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), np.inf), "c"))


@fault("scale-value", "w_DQ", "refuses")
def a_dead_channel():
    net = Net()
    scales = np.r_[np.zeros(1, "f4"), np.full(15, 0.01, "f4")]
    return net.model(net.conv(net.pair(net.input()), "c", net.weight("w", scale=scales)))


@fault("activation-scales", "x_Q", "float")
def an_activation_with_a_scale_for_each_channel():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), np.full(16, 0.05, "f4"), axis=1), "c"))


@fault("scale-vector", "x_Q", "float")
def an_activation_whose_scale_is_a_vector_of_one():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), np.full(1, 0.05, "f4")), "c"))


@fault("scale-type operand-types", "x_Q", "refuses")
def a_float32_scale_in_a_float16_model():
    net = Net(np.float16)
    return net.model(net.conv(net.pair(net.input(), np.float32(0.05)), "c"))


@fault("operand-types", "c", "refuses")
def a_weight_with_float16_scales_in_a_float32_model():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.weight("w", scale=np.full(16, 0.01, "f2"))))


@fault("scale-type", "x_Q")
def all_scales_of_a_float16_model_in_float32():
    net = Net(np.float16)
    return net.model(
        net.conv(net.pair(net.input(), np.float32(0.05)), "c", net.weight("w", scale=np.full(16, 0.01, "f4")))
    )


@fault("pair-scales", "x_DQ")
def a_pair_with_two_scales():
    net = Net()
    return net.model(net.conv(net.dequantize(net.quantize(net.input(), 0.05), 0.06), "c"))


# Weights


@fault("channel-axis", "c", "float")
def a_conv_with_scales_for_its_input_channels():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.weight("w", axis=1)))


@fault("channel-axis", "y")
def a_gemm_with_scales_for_its_rows():
    return product("Gemm", 32, 24, axis=0).model("y")


@fault("channel-axis", "y")
def a_transposed_gemm_with_scales_for_what_it_sums_over():
    return product("Gemm", 24, 32, axis=1, transB=1).model("y")


@fault("channel-axis", "y")
def a_matmul_with_scales_for_its_rows():
    return product("MatMul", 32, 24, axis=-2).model("y")


@fault("scale-count", "w_DQ", "refuses")
def eight_scales_for_16_channels():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.weight("w", scale=np.full(8, 0.01, "f4"))))


@fault("split-weight", "y")
def a_split_product_with_a_scale_for_each_column():
    net = product("MatMul", 32, 96, axis=1, rows=(2, 64, 32))
    net.nodes.append(onnx.helper.make_node("Split", ["y"], ["q", "k", "v"], "split", axis=2, num_outputs=3))
    return net.model("q", "k", "v")


@fault("single-scale", "y", "float")
def a_transposed_conv_with_a_scale_for_each_channel():
    return product("ConvTranspose", 16, 32, 3, 3, axis=1, rows=(1, 16, 8, 8)).model("y")


# Types and operators


@fault("integer-type", "x_Q")
def an_activation_in_uint8():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), zero=np.uint8(0)), "c"))


@fault("integer-type", "x_Q")
def an_activation_without_zero_point_which_makes_it_uint8():
    net = Net()
    return net.model(net.conv(net.pair(net.input(), zero=None), "c"))


@fault("integer-type", "w_DQ", "refuses")
def a_weight_in_uint8():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.weight("w", dtype=np.uint8)))


@fault("integer-type", "x_Q", "refuses")
def an_activation_in_int16():
    net = Net(opset=21)
    return net.model(net.conv(net.pair(net.input(), zero=np.int16(0)), "c"))


@fault("integer-bias", "b_DQ", "refuses")
def an_int32_bias():
    net = Net()
    bias = net.dequantize(net.constant("b", ones(16, dtype="i4")), np.full(16, 0.01, "f4"), None, axis=0)
    return net.model(net.node("Conv", net.pair(net.input()), net.weight("w"), bias, out="c"))


@fault("quantized-bias", "c")
def an_int8_bias():
    net = Net()
    bias = net.pair(net.constant("b", ones(16, dtype="f4")))
    return net.model(net.node("Conv", net.pair(net.input()), net.weight("w"), bias, out="c"))


@fault("integer-operator", "y", "refuses")
def a_qlinearconv():
    net = Net()
    net.quantize(net.input())
    scale, zero, kernel = net.constant("s", 0.05), net.zeros("z"), net.constant("w", ones(16, 16, 3, 3))
    return net.model(net.dequantize(net.node("QLinearConv", "x_Q", scale, zero, kernel, *[scale, zero] * 2, out="y")))


@fault("integer-operator", "y", "refuses")
def a_qlinearmatmul():
    net = Net()
    net.quantize(net.input("x", 8, 32))
    scale, zero, right = net.constant("s", 0.05), net.zeros("z"), net.constant("w", ones(32, 16))
    return net.model(net.dequantize(net.node("QLinearMatMul", "x_Q", scale, zero, right, *[scale, zero] * 2, out="y")))


@fault("integer-operator", "y", "refuses")
def a_convinteger():
    net = Net()
    net.node("ConvInteger", net.input(), net.constant("w", ones(16, 16, 3, 3)), out="y")
    return net.model(net.node("Cast", "y", out="f", to=1))


@fault("integer-operator", "y", "refuses")
def a_matmulinteger():
    net = Net()
    net.node("MatMulInteger", net.input("x", 8, 32), net.constant("w", ones(32, 16)), out="y")
    return net.model(net.node("Cast", "y", out="f", to=1))


@fault("integer-operator run-time-scale integer-type zero-point", "dynamic", "refuses")
def a_dynamically_quantized_activation():
    net = Net()
    made = ["q", "s", "z"]
    net.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", [net.input()], made, "dynamic"))
    return net.model(net.conv(net.node("DequantizeLinear", *made, out="d"), "c"))


@fault("integer-operand half-quantized", "c", "refuses")
def a_conv_that_reads_the_integers_of_its_weight():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.constant("w", ones(16, 16, 3, 3))))


@fault("integer-operand half-quantized", "f", "refuses")
def an_int8_weight_that_is_cast():
    net = Net()
    net.node("Cast", net.constant("w", ones(16, 16, 3, 3)), out="f", to=1)
    return net.model(net.conv(net.pair(net.input()), "c", "f"))


@fault("integer-operand unpaired half-quantized", "c", "refuses")
def a_conv_that_reads_a_quantizelinear():
    net = Net()
    return net.model(net.conv(net.quantize(net.input()), "c"))


@fault("scalar", "m_Q")
def a_quantized_scalar():
    net = Net()
    net.node("ReduceMax", net.input(), out="m", keepdims=0)
    return net.model(net.conv(net.pair(net.node("Mul", net.pair("m"), net.pair("x"), out="p")), "c"))


@fault("opset", "x_Q")
def float16_scales_in_opset_17():
    net = Net(np.float16, opset=17)
    return net.model(net.conv(net.pair(net.input()), "c"))


@fault("opset", "c_w_DQ")
def scales_along_an_axis_in_opset_12():
    net = Net(opset=12)
    return net.model(net.conv(net.pair(net.input()), "c"))


# Fusion


@fault("cut-kernel", "r")
def a_pair_between_conv_and_relu():
    net = Net()
    net.conv(net.pair(net.input()), "c")
    return net.model(net.conv(net.pair(net.node("Relu", net.pair("c"), out="r")), "d"))


@fault("cut-kernel", "r")
def a_pair_between_conv_and_clip():
    net = Net()
    net.conv(net.pair(net.input()), "c")
    clipped = net.node("Clip", net.pair("c"), net.constant("low", 0), net.constant("high", 6), out="r")
    return net.model(net.conv(net.pair(clipped), "d"))


@fault("cut-kernel", "n")
def a_pair_between_conv_and_batchnormalization():
    net = Net()
    net.conv(net.pair(net.input()), "c")
    statistics = (net.constant(name, ones(16, dtype="f4")) for name in ("scale", "bias", "mean", "variance"))
    return net.model(net.conv(net.pair(net.node("BatchNormalization", net.pair("c"), *statistics, out="n")), "d"))


def residual(quantize_main: bool, quantize_shortcut: bool) -> onnx.ModelProto:
    net = Net()
    both = net.pair(net.node("Relu", net.input(), out="in"))
    relu = net.node("Relu", net.conv(both, "c"), out="r")
    main = net.conv(net.pair(relu), "d")
    net.node("Add", net.pair(main) if quantize_main else main, both if quantize_shortcut else "in", out="join")
    return net.model(net.conv(net.pair("join"), "e"))


@fault("residual-join", "join")
def an_add_with_both_operands_quantized():
    return residual(True, True)


@fault("residual-join", "join")
def an_add_with_neither_operand_quantized():
    return residual(False, False)


@fault("residual-join", "join")
def an_add_whose_main_path_is_quantized_instead_of_the_shortcut():
    return residual(True, False)


@fault("concat-scales", "k")
def a_concat_of_two_scales():
    net = Net()
    x = net.pair(net.input())
    branches = [net.pair(net.conv(x, name), scale) for name, scale in (("a", 0.03), ("b", 0.07))]
    joined = net.pair(net.node("Concat", *branches, out="k", axis=1), 0.07)
    return net.model(net.conv(joined, "c", net.weight("w", 16, 32, 3, 3)))


@fault("two-scales", "x_Q_")
def a_tensor_quantized_twice():
    net = Net()
    net.conv(net.pair(net.input(), 0.03), "a")
    net.conv(net.pair("x", 0.05), "b")
    return net.model("a", "b")


@fault("one-sided", "p")
def a_pool_that_reads_int8_and_writes_float():
    net = Net()
    return net.model(net.node("GlobalAveragePool", net.pair(net.conv(net.pair(net.input()), "c")), out="p"))


@fault("one-sided", "p")
def a_pool_that_reads_float_and_writes_int8():
    net = Net()
    net.conv(net.pair(net.input()), "c")
    return net.model(net.conv(net.pair(net.node("AveragePool", "c", out="p", kernel_shape=[2, 2])), "d"))


@fault("idle-pair", "s_DQ")
def a_pair_that_only_float_operators_read():
    net = Net()
    net.node("Softmax", net.conv(net.pair(net.input()), "c"), out="s")
    return net.model(net.node("ReduceMean", net.pair("s"), out="y"))


@fault("idle-pair", "c_DQ")
def a_quantized_model_output():
    net = Net()
    return net.model(net.pair(net.conv(net.pair(net.input()), "c")))


@fault("unpaired", "x_Q")
def a_relu_on_integers():
    net = Net()
    return net.model(net.conv(net.dequantize(net.node("Relu", net.quantize(net.input()), out="r")), "c"))


@fault("unpaired", "c_Q")
def a_quantizelinear_that_nobody_reads():
    net = Net()
    net.quantize(net.conv(net.pair(net.input()), "c"))
    return net.model("c")


# Floats by accident


@fault("half-quantized", "c", "float")
def a_conv_with_a_float_weight():
    net = Net()
    return net.model(net.conv(net.pair(net.input()), "c", net.constant("w", ones(16, 16, 3, 3, dtype="f4"))))


@fault("half-quantized", "c", "float")
def a_conv_with_a_float_activation():
    net = Net()
    return net.model(net.conv(net.input(), "c"))


@fault("left-float", "d", "float")
def a_conv_that_was_forgotten():
    net = Net()
    net.conv(net.pair(net.input()), "c")
    return net.model(net.conv("c", "d", net.constant("w", ones(16, 16, 3, 3, dtype="f4"))))


@fault("no-qdq", "", "float")
def a_model_without_any_qdq():
    net = Net()
    return net.model(net.conv(net.input(), "c", net.constant("w", ones(16, 16, 3, 3, dtype="f4"))))
