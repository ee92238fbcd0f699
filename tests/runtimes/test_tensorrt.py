"""The plan that TensorRT for RTX makes on a CPU, read from its log."""

import importlib.util
import json
import os
import re
import signal
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxq.core.build_options import BuildOptions
from onnxq.core.observer import Silent
from onnxq.errors import RecipeError, RuntimeFailure
from onnxq.runtimes.tensorrt import (
    PACKAGES,
    LayerPlan,
    Tensor,
    build,
    compile_ahead_of_time,
    compute_nodes,
    find_backend,
    int8_nodes,
    layers_from_json,
    layers_from_log,
    operators_from_model,
    package,
)
from onnxq.runtimes.tensorrt import compile as compile_module
from onnxq.runtimes.tensorrt.advice import advised

NHWC = "Strides: [1024,1,128,16], StrideOrder: [3,0,2,1], "
LOG = f"""Layers:
Name: __myl_Move_myl0_0, LayerType: kgen, Inputs: [ {{ Name: x, Dimensions: [8,16,8,8], {NHWC}Datatype: Float, \
Format: (Linear) Row major linear format }}], Constants: [], Outputs: [ {{ Name: x_q, Dimensions: [8,16,8,8], {NHWC}\
Datatype: Int8, Format: (NHWC) Channel major format }}], TacticName: __myl_Move_0x8b, StreamId: 0, Metadata: 
Name: __mye5318_myl0_14, LayerType: signal, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0, \
EventId: 3, Metadata: 
Name: the/Conv, first_myl0_1, LayerType: correlation, Inputs: [ {{ Name: x_q, Dimensions: [8,16,8,8], {NHWC}\
Datatype: Int8, Format: (NHWC) Channel major format }}], Constants: [ {{ Name: w, Dimensions: [16,16,3,3], {NHWC}\
Datatype: Int8, Format: (NHWC) Channel major format }}, {{ Name: s, Dimensions: [1,16,1,1], {NHWC}\
Datatype: Float, Format: (NHWC) Channel major format }}], Outputs: [ {{ Name: y, Dimensions: [8,16,8,8], {NHWC}\
Datatype: Float, Format: (NHWC) Channel major format }}], TacticName: __myelin_CASK_STUB, StreamId: 0, \
Metadata: [ONNX Layer: the/Conv[0]]\x1f[ONNX Layer: x_DQ]

I/O Tensors:
 Name: x, IOMode: Input, DataType: Float, Dimensions: [8,16,8,8], Location: Device"""  # noqa: W291


def quantized(name, nodes, weights, scale, axis=None):
    """Appends Q/DQ of `name` to `nodes` and its scale to `weights`; returns the dequantized tensor's name."""
    weights[f"{name}_scale"] = np.asarray(scale, np.float32)
    weights[f"{name}_zero"] = np.zeros_like(weights[f"{name}_scale"], np.int8)
    more = {} if axis is None else {"axis": axis}
    nodes += [
        helper.make_node("QuantizeLinear", [name, f"{name}_scale", f"{name}_zero"], [f"{name}_q"], f"{name}_Q", **more),
        helper.make_node(
            "DequantizeLinear", [f"{name}_q", f"{name}_scale", f"{name}_zero"], [f"{name}_dq"], f"{name}_DQ", **more
        ),
    ]
    return f"{name}_dq"


def model_of(nodes, weights, shape=("batch", 16, 8, 8)):
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def conv_model(activation=True, weight=True, name="the/Conv"):
    """Conv-Relu over 16 channels with Q/DQ on its activation, on its weight, on both or on none."""
    nodes, weights = [], {"w": np.ones((16, 16, 3, 3), np.float32), "b": np.ones(16, np.float32)}
    x = quantized("x", nodes, weights, 0.05) if activation else "x"
    w = quantized("w", nodes, weights, np.full(16, 0.01), axis=0) if weight else "w"
    nodes += [
        helper.make_node("Conv", [x, w, "b"], ["c"], name, pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["y"], "the/Relu"),
    ]
    return model_of(nodes, weights)


def attention_model(quantized_output):
    """Softmax(queries x keys) x values with Q/DQ on every factor, and on the output if asked for."""
    nodes, weights = [], {}
    queries, keys, values = (quantized(name, nodes, weights, 0.05) for name in "qkv")
    nodes += [
        helper.make_node("MatMul", [queries, keys], ["scores"], "scores"),
        helper.make_node("Softmax", ["scores"], ["shares"], "softmax"),
    ]
    shares = quantized("shares", nodes, weights, 1 / 127)
    nodes.append(helper.make_node("MatMul", [shares, values], ["mix"], "mix"))
    mix = quantized("mix", nodes, weights, 0.05) if quantized_output else "mix"
    nodes.append(helper.make_node("Identity", [mix], ["y"], "end"))
    model = model_of(nodes, weights)
    del model.graph.input[:]
    for name, shape in {"q": (8, 3, 64, 32), "k": (8, 3, 32, 64), "v": (8, 3, 64, 32)}.items():
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model


@pytest.fixture
def tensorrt_rtx():
    """Skips where TensorRT for RTX is missing, unless ONNXQ_REQUIRE_TENSORRT=1 says that it must be there."""
    if importlib.util.find_spec("tensorrt_rtx") is None and os.environ.get("ONNXQ_REQUIRE_TENSORRT") != "1":
        pytest.skip("needs TensorRT for RTX: pip install 'onnxq[rtx]'")


class TestLog:
    def test_kernels_are_read_in_order_and_stream_events_are_left_out(self):
        move, conv = layers_from_log(["Adding 1 engine", LOG])
        assert (move.name, move.kind, move.tactic) == ("__myl_Move_myl0_0", "kgen", "__myl_Move_0x8b")
        assert (conv.name, conv.kind) == ("the/Conv, first_myl0_1", "correlation")

    def test_tensors_keep_dims_and_dtype(self):
        move, conv = layers_from_log([LOG])
        assert move.inputs == (Tensor("x", (8, 16, 8, 8), "Float"),)
        assert move.outputs == conv.inputs == (Tensor("x_q", (8, 16, 8, 8), "Int8"),)
        assert conv.constants == (Tensor("w", (16, 16, 3, 3), "Int8"), Tensor("s", (1, 16, 1, 1), "Float"))

    def test_onnx_nodes_may_have_brackets_in_their_names(self):
        move, conv = layers_from_log([LOG])
        assert move.onnx_nodes == ()
        assert conv.onnx_nodes == ("the/Conv[0]", "x_DQ")

    def test_moved_bytes_count_activations_but_no_constants(self):
        plan = LayerPlan(tuple(layers_from_log([LOG])), {})
        activation = 8 * 16 * 8 * 8
        assert plan.moved_bytes == {"Float": 2 * 4 * activation, "Int8": 2 * activation}

    def test_int8_nodes_leave_out_the_fused_quantizers(self):
        operators = {"the/Conv[0]": "Conv", "x_DQ": "DequantizeLinear"}
        plan = LayerPlan(tuple(layers_from_log([LOG])), operators)
        assert int8_nodes(plan) == compute_nodes(plan) == {"the/Conv[0]"}


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(RuntimeFailure, match=re.escape("pip install 'onnxq[rtx]'")):
        compile_ahead_of_time(conv_model())


class TestInspector:
    """What TensorRT's engine inspector writes, which calls things otherwise than a log does."""

    LAYER: ClassVar = {
        "Name": "the/Conv + the/Relu",
        "LayerType": "CaskGemmConvolution",
        "Inputs": [
            {
                "Name": "x",
                "Dimensions": [8, 16, 8, 8],
                "Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format",
            }
        ],
        "Outputs": [{"Name": "y", "Dimensions": [8, 16, 8, 8], "Format/Datatype": "Row major linear FP16 format"}],
        "Weights": {"Type": "Int8", "Count": 2304},
        "Bias": {"Type": "Half", "Count": 16},
        "TacticName": "sm80_xmma_fprop",
        "Metadata": "[ONNX Layer: the/Conv]\x1e[ONNX Layer: the/Relu]",
    }

    def read(self, **changed):
        (layer,) = layers_from_json(json.dumps({"Layers": [self.LAYER | changed]}))
        return layer

    def test_types_stand_amid_the_formats(self):
        layer = self.read()
        assert layer.inputs == (Tensor("x", (8, 16, 8, 8), "Int8"),)
        assert layer.outputs == (Tensor("y", (8, 16, 8, 8), "Half"),)

    def test_weights_stand_beside_the_inputs_and_count_as_operands(self):
        assert [constant.dtype for constant in self.read().constants] == ["Int8", "Half"]
        assert self.read().reads_int8
        assert not self.read(Weights={"Type": "Half", "Count": 2304}).reads_int8

    @pytest.mark.parametrize(
        ("kind", "computes"),
        [
            ("CaskConvolution", True),
            ("CaskDeconvolutionV2", True),
            ("CaskGemmMatrixMultiply", True),
            ("gemm", True),
            ("CaskPooling", False),
            ("PointWiseV2", False),
            ("Reformat", False),
            ("kgen", False),
        ],
    )
    def test_kernels_that_multiply_are_known(self, kind, computes):
        assert self.read(LayerType=kind).is_compute == computes

    def test_a_reformat_is_a_copy(self):
        assert self.read(LayerType="Reformat").is_copy

    def test_onnx_nodes_are_told(self):
        assert self.read().onnx_nodes == ("the/Conv", "the/Relu")

    @pytest.mark.parametrize("layers", [[], ["a name alone"]])
    def test_an_engine_without_details_says_how_to_get_them(self, layers):
        with pytest.raises(RuntimeFailure, match=r"tells nothing about its layers\. Build it with `onnxq build`"):
            list(layers_from_json(json.dumps({"Layers": layers})))


class TestBackend:
    """TensorRT needs a GPU, TensorRT for RTX does not."""

    @pytest.fixture(autouse=True)
    def both(self, monkeypatch):
        for module in PACKAGES.values():
            monkeypatch.setitem(sys.modules, module, SimpleNamespace(__version__="1.0"))

    @pytest.mark.parametrize(("gpu", "name"), [(True, "tensorrt"), (False, "tensorrt-rtx")])
    def test_a_gpu_decides(self, monkeypatch, gpu, name):
        monkeypatch.setattr(package, "gpu_answers", lambda: gpu)
        assert find_backend().name == name

    @pytest.mark.parametrize(("gpu", "name"), [(True, "tensorrt-rtx"), (False, "tensorrt")])
    def test_what_is_missing_is_not_chosen(self, monkeypatch, gpu, name):
        monkeypatch.setattr(package, "gpu_answers", lambda: gpu)
        (missing,) = PACKAGES.keys() - {name}
        monkeypatch.setitem(sys.modules, PACKAGES[missing], None)
        assert find_backend().name == name

    def test_who_asks_for_one_gets_it(self):
        assert [find_backend(name).title for name in PACKAGES] == ["TensorRT 1.0", "TensorRT for RTX 1.0"]

    def test_an_unknown_one_is_refused_with_the_known(self):
        with pytest.raises(
            RecipeError, match=r"Unknown backend 'tensort'\. Choose one of: tensorrt, tensorrt-rtx\. Did"
        ):
            find_backend("tensort")


@pytest.mark.parametrize(
    ("refusal", "fix"),
    [
        ("Conv 'c': Non-zero zero point is not supported.", "give zero points of 0; `onnxq lint` names"),
        ("DequantizeLinear 'b': input has type Int32 but must have", "leave the bias in float; `onnxq lint` names"),
        ("MyOp 'mine': Plugin not found, are the plugin name", r"load the library that has it with --plugins\.$"),
    ],
)
def test_a_refusal_says_what_to_do(refusal, fix):
    assert re.search(rf"^{re.escape(refusal.rstrip('.'))}\. Fix: .*{fix}", advised(refusal))


def test_a_refusal_that_nobody_has_seen_before_is_told_as_it_is():
    assert advised("The moon is full.") == "The moon is full."


@pytest.mark.tensorrt
@pytest.mark.usefixtures("tensorrt_rtx")
class TestBuild:
    def test_ctrl_c_amid_the_parse_stops_the_build(self, monkeypatch):
        """Pressed while TensorRT logs, which would swallow the exception."""
        parse = compile_module.network_of

        def pressed(*arguments):
            signal.raise_signal(signal.SIGINT)
            return parse(*arguments)

        monkeypatch.setattr(compile_module, "network_of", pressed)
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            build(conv_model().SerializeToString(), BuildOptions("tensorrt-rtx"))
        assert signal.getsignal(signal.SIGINT) is before

    def test_ctrl_c_amid_the_build_stops_it(self):
        class Pressed(Silent):
            def advance(self, done, total):
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            build(conv_model().SerializeToString(), BuildOptions("tensorrt-rtx"), Pressed())

    def test_the_observer_hears_how_far_it_is(self):
        heard = []

        class Hearing(Silent):
            def advance(self, done, total):
                heard.append((done, total))

        build(conv_model().SerializeToString(), BuildOptions("tensorrt-rtx"), Hearing())
        assert heard
        assert all(done <= total for done, total in heard)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"timing_cache": b""}, "measures nothing, so it has no timing cache. Leave out --timing-cache"),
            ({"version_compatible": True}, "cannot build engines for other versions. Leave out --version-compatible"),
            ({"hardware_compatible": True}, "Give them as --compute-capability 8.6 8.9 in place of --hardware-comp"),
        ],
    )
    def test_what_only_tensorrt_has_is_refused(self, options, message):
        with pytest.raises(RecipeError, match=message):
            build(conv_model().SerializeToString(), BuildOptions("tensorrt-rtx", **options))

    def test_a_library_that_is_none_is_refused(self, tmp_path):
        library = tmp_path / "plugins.so"
        library.write_bytes(b"no library")
        options = BuildOptions("tensorrt-rtx", plugins=(library,))
        with pytest.raises(RecipeError, match=r"The plugin library '.*plugins\.so' cannot be loaded: "):
            build(conv_model().SerializeToString(), options)

    def test_a_library_that_is_missing_is_refused(self, tmp_path):
        options = BuildOptions("tensorrt-rtx", plugins=(tmp_path / "nope.so",))
        with pytest.raises(RecipeError, match=r"The plugin library '.*nope\.so' does not exist"):
            build(conv_model().SerializeToString(), options)

    def test_memory_is_limited(self):
        model = conv_model().SerializeToString()
        assert build(model, BuildOptions("tensorrt-rtx", ("8.9",), workspace=2**30)).content
        with pytest.raises(RuntimeFailure, match=r"within workspace limit.*\. Fix: give a larger --workspace\.$"):
            build(model, BuildOptions("tensorrt-rtx", ("8.9",), workspace=2**20))

    def test_one_engine_may_serve_several_gpus(self):
        one, two = (
            build(conv_model().SerializeToString(), BuildOptions("tensorrt-rtx", gpus))
            for gpus in (("8.9",), ("8.9", "7.5"))
        )
        assert len(two.content) > len(one.content)
        assert two.title.endswith("for compute capability 8.9 and 7.5")


@pytest.mark.tensorrt
@pytest.mark.usefixtures("tensorrt_rtx")
class TestCompile:
    def test_a_float_model_has_no_int8_kernel(self):
        plan = compile_ahead_of_time(conv_model(activation=False, weight=False))
        assert compute_nodes(plan) == {"the/Conv"}
        assert int8_nodes(plan) == frozenset()
        assert set(plan.moved_bytes) == {"Float"}

    def test_a_conv_with_both_inputs_quantized_reads_int8(self):
        plan = compile_ahead_of_time(conv_model())
        assert int8_nodes(plan) == {"the/Conv"}
        assert [layer.kind for layer in plan.int8_computes] == ["correlation"]

    @pytest.mark.parametrize(("activation", "weight"), [(True, False), (False, True)])
    def test_a_conv_with_one_input_quantized_does_not(self, activation, weight):
        plan = compile_ahead_of_time(conv_model(activation, weight))
        assert compute_nodes(plan) == {"the/Conv"}
        assert int8_nodes(plan) == frozenset()

    @pytest.mark.parametrize(("operator", "weight"), [("MatMul", (32, 16)), ("Gemm", (32, 16))])
    def test_matrix_products_read_int8(self, operator, weight):
        nodes, weights = [], {"w": np.ones(weight, np.float32)}
        inputs = [quantized("x", nodes, weights, 0.05), quantized("w", nodes, weights, np.full(16, 0.01), axis=1)]
        nodes.append(helper.make_node(operator, inputs, ["y"], "product"))
        assert int8_nodes(compile_ahead_of_time(model_of(nodes, weights, ("batch", 32)))) == {"product"}

    def test_a_product_of_two_activations_reads_int8(self):
        nodes, weights = [], {}
        x = quantized("x", nodes, weights, 0.05)
        nodes.append(helper.make_node("Transpose", [x], ["t"], "turn", perm=[0, 1, 3, 2]))
        nodes += [helper.make_node("Relu", ["t"], ["r"], "relu")]
        inputs = [x, quantized("r", nodes, weights, 0.05)]
        nodes.append(helper.make_node("MatMul", inputs, ["y"], "product"))
        assert int8_nodes(compile_ahead_of_time(model_of(nodes, weights))) == {"product"}

    @pytest.mark.parametrize(("quantized_output", "kernels"), [(True, 1), (False, 2)])
    def test_attention_reads_int8_as_one_kernel_or_as_two(self, quantized_output, kernels):
        plan = compile_ahead_of_time(attention_model(quantized_output))
        assert int8_nodes(plan) == {"scores", "mix"}
        assert len(plan.int8_computes) == kernels

    def test_a_node_without_a_name_is_named_by_its_output(self):
        assert int8_nodes(compile_ahead_of_time(conv_model(name=""))) == {"node_of_c"}

    def test_serialized_models_are_taken_too(self):
        assert int8_nodes(compile_ahead_of_time(conv_model().SerializeToString())) == {"the/Conv"}

    def test_free_dimensions_take_the_shape_asked_for(self):
        plan = compile_ahead_of_time(conv_model(), shapes={"x": (2, 16, 8, 8)}, compute_capability="7.5")
        assert plan.computes[0].outputs[0].dims == (2, 16, 8, 8)

    def test_a_refusal_names_the_node_and_the_reason(self):
        model = conv_model()
        zero = next(weight for weight in model.graph.initializer if weight.name == "x_zero")
        zero.CopyFrom(numpy_helper.from_array(np.array(3, np.int8), "x_zero"))
        with pytest.raises(RuntimeFailure, match=r"refuses the model: QuantizeLinear 'x_Q': .*[Nn]on-zero zero point"):
            compile_ahead_of_time(model)

    def test_a_refused_bias_says_nothing_of_missing_gpus(self):
        model = conv_model()
        model.graph.initializer.append(numpy_helper.from_array(np.ones(16, np.int32), "b_q"))
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", ["b_q", "x_scale"], ["b_dq"], "bias_DQ"))
        next(node for node in model.graph.node if node.op_type == "Conv").input[2] = "b_dq"
        with pytest.raises(RuntimeFailure, match=r"DequantizeLinear 'bias_DQ': .*Int32") as failure:
            compile_ahead_of_time(model)
        assert "cuda" not in str(failure.value).lower()

    def test_a_shape_that_does_not_fit_is_refused(self):
        wrong = {"x": (2, 15, 8, 8)}
        with pytest.raises(
            RecipeError, match=r"'x' has the shape \(-1, 16, 8, 8\), -1 where free: \(2, 15, 8, 8\) does not"
        ):
            compile_ahead_of_time(conv_model(), shapes=wrong)

    def test_bytes_of_no_model_are_refused(self):
        with pytest.raises(RuntimeFailure, match="Failed to parse the ONNX model"):
            compile_ahead_of_time(b"rubbish")

    def test_an_unknown_compute_capability_lists_the_known(self):
        with pytest.raises(RecipeError, match=r"capability '9\.9'. Choose one of: .*8\.9.*12\.0"):
            compile_ahead_of_time(conv_model(), compute_capability="9.9")

    def test_a_shape_for_no_input_suggests_one(self):
        with pytest.raises(RecipeError, match=r"No input is called 'xx'. Did you mean 'x'"):
            compile_ahead_of_time(conv_model(), shapes={"xx": (1, 16, 8, 8)})


def test_every_node_of_a_branch_has_an_operator():
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["i"], "inner")], "branch", [], [])
    chooser = helper.make_node("If", ["go"], ["y"], "choose", then_branch=branch, else_branch=branch)
    assert operators_from_model(helper.make_model(helper.make_graph([chooser], "g", [], []))) == {
        "choose": "If",
        "inner": "Identity",
    }
