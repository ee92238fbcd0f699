"""A passage: what layers see on the way, and sums over it."""

from __future__ import annotations

import numpy as np
from tests.net import Net

from onnxq.catalog.formats.int8 import INT8
from onnxq.core.graph import Site
from onnxq.core.layer import Layer, Stored, Tail
from onnxq.core.linear import Linear
from onnxq.core.passage import CHUNK, Seen, moments, moved
from onnxq.core.scales import QuantParams
from onnxq.core.spec import PerAxis, Spec
from onnxq.onnx_io import view as view_of

DRAW = np.random.default_rng(0)
WEIGHT = DRAW.standard_normal((6, 4, 1, 1)).astype(np.float32)
BIAS = DRAW.standard_normal(6).astype(np.float32)


def layer():
    net = Net()
    out = net.node("Conv", net.input("x", 1, 4, 8, 8), net.constant("w", WEIGHT), net.constant("b", BIAS), out="y")
    view = view_of(net.model(out))
    scale = np.abs(WEIGHT).max(axis=(1, 2, 3)) / 127
    kept = Stored(QuantParams(scale, Spec("int8", PerAxis(0), "weight"), "test"), INT8)
    node = view.nodes[0]
    return Layer(node, Linear.of(view, node), Site("w", "y", 1), kept, None, Tail.of(view, node)), view


def seen(samples, size, places=None):
    x = DRAW.standard_normal((samples, 4, size, size)).astype(np.float32)
    wanted = np.einsum("oc,nchw->nohw", WEIGHT[:, :, 0, 0], x) + BIAS[:, None, None] + 0.5
    count = samples * size * size
    return Seen(x, wanted, np.zeros_like(wanted), np.arange(count) if places is None else places)


def test_what_the_mean_lacks_is_what_was_taken_from_it():
    one, view = layer()
    np.testing.assert_allclose(moved(one, view, [seen(2, 8), seen(1, 16)]), 0.5, atol=0.02)


def test_sums_do_not_depend_on_where_batches_end():
    one, _ = layer()
    whole = seen(4, 64)
    assert len(whole.places) > CHUNK
    parts = [
        Seen(whole.input[k : k + 2], whole.wanted[k : k + 2], whole.added[k : k + 2], np.arange(2 * 64**2))
        for k in (0, 2)
    ]
    found, joined = moments(one, [whole]), moments(one, parts)
    assert found.count == joined.count == 4 * 64**2
    np.testing.assert_allclose(found.moment, joined.moment, rtol=1e-12)


def test_only_the_places_that_are_looked_at_count():
    one, _ = layer()
    batch = seen(1, 8, np.array([3, 5, 60]))
    found = moments(one, [batch])
    patches = batch.input.reshape(4, 64)[:, [3, 5, 60]]
    np.testing.assert_allclose(found.patch[0], patches.sum(axis=1), rtol=1e-6)
