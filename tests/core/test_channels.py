"""Channels of operators with weights."""

from __future__ import annotations

import numpy as np
from tests.sketch import sketch

from onnxq.core.channels import channels, is_depthwise, is_grouped, weight_channels

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


def test_each_number_of_a_weight_multiplies_an_input_channel_and_adds_to_an_output_channel():
    found = {}
    for name in ("conv", "transposed", "gemm", "flipped"):
        node = VIEW.by_name[name]
        weight = VIEW.constants[node.inputs[1]]
        reads, makes = (np.broadcast_to(index, weight.shape) for index in weight_channels(node, weight))
        found[name] = [
            tuple(int(index[tuple(at)]) for index in (reads, makes)) for at in ([0] * weight.ndim, [-1] * weight.ndim)
        ]
    assert found == {
        "conv": [(0, 0), (3, 7)],
        "transposed": [(0, 0), (5, 5)],
        "gemm": [(0, 0), (8, 6)],
        "flipped": [(0, 0), (6, 8)],
    }
