"""Channels of operators with weights."""

from __future__ import annotations

from tests.sketch import sketch

from onnxq.core.channels import channels, is_depthwise, is_grouped

VIEW = sketch("""
    conv = Conv(x, wc[8,2,3,3]) group=2
    wise = Conv(x, ww[8,1,3,3]) group=8
    one = Conv(x, wo[8,1,3,3])
    transposed = ConvTranspose(x, wt[6,3,3,3]) group=2
    gemm = Gemm(x, wg[9,7])
    flipped = Gemm(x, wf[9,7]) transB=1
    product = MatMul(x, wm[2,5,11])
    computed = MatMul(x, y)
    other = other.Conv(x, wd[1,1,1,1])
    relu = Relu(x)
    bare = MatMul(x, wv[5])
""")


def test_input_and_output_channels_count_all_groups():
    assert {node.name: channels(VIEW, node) for node in VIEW.nodes} == {
        "conv": (4, 8),
        "wise": (8, 8),
        "one": (1, 8),
        "transposed": (6, 6),
        "gemm": (9, 7),
        "flipped": (7, 9),
        "product": (5, 11),
        "computed": None,
        "other": None,
        "relu": None,
        "bare": None,
    }


def test_a_depthwise_convolution_has_a_group_for_each_input_channel():
    assert [node.name for node in VIEW.nodes if is_depthwise(VIEW, node)] == ["wise"]
    assert [node.name for node in VIEW.nodes if is_grouped(VIEW, node)] == ["conv", "wise", "transposed"]
