"""Blocks: which layers belong together."""

from __future__ import annotations

import numpy as np
import pytest
from tests.sketch import sketch

from onnxq.catalog.formats.int8 import INT8
from onnxq.core.block import blocks
from onnxq.core.graph import Site
from onnxq.core.layer import Layer, Stored, Tail
from onnxq.core.linear import Linear
from onnxq.core.scales import QuantParams
from onnxq.core.spec import Spec


def found(text, **more):
    view = sketch(text, **more)
    kept = Stored(QuantParams(np.float32(1), Spec("int8", role="weight"), "test"), INT8)
    made = []
    for node in view.nodes:
        if linear := Linear.of(view, node):
            site = Site(node.inputs[1], node.name, 1)
            made.append(Layer(node, linear, site, kept, None, Tail.of(view, node)))
    return [
        (" ".join(node.name for node in block.nodes), " ".join(block.inputs), block.output)
        for block in blocks(view, made)
    ]


BASIC = """
    a = Conv(x, v[4,4,3,3])
    b = Relu(a)
    c = Conv(b, w[4,4,3,3])
    d = Add(c, {shortcut})
    e = Relu(d)
"""


def test_a_chain_is_cut_into_layers_with_their_tails():
    text = "a = Conv(x, v[4,4,3,3])\nb = Relu(a)\nc = Conv(b, w[4,4,3,3])\nd = Add(c, k[4,1,1])\ne = Clip(d, l[], h[])"
    assert found(text) == [("a b", "x", "b"), ("c d e", "b", "e")]


def test_a_residual_block_stays_whole():
    assert found(BASIC.format(shortcut="x")) == [("a b c d e", "x", "e")]


def test_a_layer_on_the_shortcut_is_part_of_it():
    text = "s = Conv(x, u[4,4,1,1])\n" + BASIC.format(shortcut="s")
    assert found(text) == [("s a b c d e", "x", "e")]


def test_what_is_read_from_amid_a_block_leaves_its_layers_single():
    assert found(BASIC.format(shortcut="x") + "f = Sigmoid(b)") == [("a b", "x", "b"), ("c d e", "x b", "e")]


@pytest.mark.parametrize("op", ["Sigmoid", "Mul"])
def test_so_does_an_operator_that_has_no_gradient_here(op):
    other = ", b" if op == "Mul" else ""
    text = BASIC.format(shortcut="x").replace("c = Conv(b", f"m = {op}(b{other})\nc = Conv(m")
    assert found(text) == [("a b", "x", "b"), ("c d e", "x m", "e")]


def test_a_shortcut_that_comes_late_ends_the_block_in_front_of_the_join():
    text = "a = Conv(x, v[4,4,3,3])\nm = Sigmoid(x)\nd = Add(a, m)"
    assert found(text) == [("a", "x", "a")]
