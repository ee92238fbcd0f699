"""Models are linted as they are in the file."""

from __future__ import annotations

import onnx
import pytest
from tests.net import Net

from onnxq.errors import ModelError, RecipeError
from onnxq.pipeline.linting import lint


def conv_with_a_float_activation(*names: str) -> onnx.ModelProto:
    net = Net()
    net.input()
    for index, name in enumerate(names):
        net.node("Conv", "x", net.weight(f"w{index}"), out=f"y{index}", name=name)
    return net.model(*(f"y{index}" for index in range(len(names))))


def test_the_model_is_not_touched():
    model = conv_with_a_float_activation("a")
    before = model.SerializeToString()
    lint(model)
    assert model.SerializeToString() == before


def test_nodes_keep_their_names():
    assert [finding.node for finding in lint(conv_with_a_float_activation("/a/Conv", "b;c"))] == ["/a/Conv", "b;c"]


def test_nodes_without_a_name_are_called_as_tensorrt_does():
    assert [finding.node for finding in lint(conv_with_a_float_activation("", ""))] == ["node_of_y0", "node_of_y1"]


def test_nodes_that_share_a_name_are_told_apart():
    assert [finding.node for finding in lint(conv_with_a_float_activation("a", "a"))] == ["node_of_y0", "node_of_y1"]


def test_weights_among_the_graph_inputs_are_weights():
    model = conv_with_a_float_activation("a")
    for weight in model.graph.initializer:
        value = onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.input.append(value)
    assert [finding.rule for finding in lint(model)] == ["half-quantized"]


def test_a_path_is_read(tmp_path):
    onnx.save(conv_with_a_float_activation("a"), tmp_path / "m.onnx")
    assert [finding.node for finding in lint(tmp_path / "m.onnx")] == ["a"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"There is no file '.*m\.onnx'"):
        lint(tmp_path / "m.onnx")


def test_an_unknown_target_lists_the_known():
    with pytest.raises(RecipeError, match="tensorrt"):
        lint(conv_with_a_float_activation("a"), "tensorflow")


def test_a_damaged_weight_is_one_sentence():
    model = conv_with_a_float_activation("a")
    model.graph.initializer[0].data_type = 99
    with pytest.raises(ModelError, match=r"The model cannot be read: .*onnx\.checker"):
        lint(model)


@pytest.mark.parametrize("op", ["QuantizeLinear", "DequantizeLinear", "Conv", "MatMul"])
def test_a_node_without_its_inputs_is_named(op):
    model = conv_with_a_float_activation("a")
    model.graph.node.append(onnx.helper.make_node(op, ["x"], ["nothing"], "lonely"))
    with pytest.raises(ModelError, match=rf"invalid: {op} 'lonely' has 1 of 2 inputs\. Check it with onnx\.checker"):
        lint(model)


def test_an_input_that_nothing_makes_is_named():
    model = conv_with_a_float_activation("a")
    del model.graph.node[0]
    with pytest.raises(ModelError, match=r"invalid: Conv 'a' reads 'w0_DQ', which nothing makes before it\."):
        lint(model)


def test_an_output_that_nothing_makes_is_named():
    model = conv_with_a_float_activation("a")
    del model.graph.node[-1]
    with pytest.raises(ModelError, match=r"invalid: nothing makes its output 'y0'\."):
        lint(model)


def test_a_tensor_that_a_body_reads_too_early_is_named():
    """Onnxruntime's quantizer sorts nodes so, and its runtime takes it; ONNX does not."""
    net = Net()
    net.input()
    net.constant("go", True)
    result = [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)]
    branches = {
        name: onnx.helper.make_graph([onnx.helper.make_node("Neg", ["late"], ["out"], name)], name, [], result)
        for name in ("then_branch", "else_branch")
    }
    net.node("If", "go", out="y", name="choose", **branches)
    net.node("Relu", "x", out="late")
    with pytest.raises(ModelError, match=r"invalid: If 'choose' reads 'late', which nothing makes before it\."):
        lint(net.model("y"))
