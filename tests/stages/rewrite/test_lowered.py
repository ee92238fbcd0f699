"""A model whose rest is in a shorter type: where casts stand, what constants are stored as, what pairs look like."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.shape_inference import infer_shapes
from tests.net import Net

from onnxq import onnx_io
from onnxq.catalog.floats.fp16 import FP16
from onnxq.core.graph import Site
from onnxq.core.rest import Rest
from onnxq.runtimes import onnxruntime
from onnxq.stages.rewrite import emulated, lowered


def rest(reads: dict[str, tuple[int, ...]], writes: str, inputs: dict[str, str], low_outputs: bool = False) -> Rest:
    """Nodes and the input indices that they read in FP16; the tensors computed in it."""
    sites = frozenset(Site(inputs.get(f"{node}{i}", ""), node, i) for node, indices in reads.items() for i in indices)
    return Rest(FP16, sites, frozenset(writes.split()), (), low_outputs)


def chain() -> onnx.ModelProto:
    """x -> Mul by c -> a -> Neg -> b -> Abs -> y."""
    net = Net()
    net.node("Mul", net.input("x", 2, 4), net.constant("c", 3.0), out="a")
    net.node("Neg", "a", out="b")
    net.node("Abs", "b", out="y")
    return net.model("y")


def ops(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = infer_shapes(model, strict_mode=True, check_type=True).graph
    return {v.name: v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.value_info, *inferred.output)}


WHOLE = rest({"a": (0, 1), "b": (0,), "y": (0,)}, "a b y", {})


def test_casts_stand_where_the_type_changes():
    assert ops(lowered(chain(), WHOLE).model) == ["Cast", "Mul", "Neg", "Abs", "Cast"]


def test_the_interface_keeps_its_names_and_types():
    model = lowered(chain(), WHOLE).model
    found = types(model)
    assert (found["x"], found["y"]) == (TensorProto.FLOAT, TensorProto.FLOAT)


def test_constants_are_stored_in_the_type_that_they_are_read_in():
    (constant,) = lowered(chain(), WHOLE).model.graph.initializer
    assert (constant.data_type, numpy_helper.to_array(constant)) == (TensorProto.FLOAT16, np.float16(3.0))


def test_a_node_amid_the_short_ones_gets_one_cast_on_each_side():
    model = lowered(chain(), rest({"a": (0, 1), "y": (0,)}, "a y", {})).model
    assert ops(model) == ["Cast", "Mul", "Cast", "Neg", "Cast", "Abs", "Cast"]
    types(model)


def test_readers_of_one_tensor_share_its_cast():
    net = Net()
    for name in ("one", "two"):
        net.node("Neg", net.input("x", 2, 4), out=name)
    model = lowered(net.model("one", "two"), rest({"one": (0,), "two": (0,)}, "one two", {})).model
    assert ops(model) == ["Cast", "Neg", "Cast", "Neg", "Cast"]


def test_outputs_may_be_short_if_asked_for():
    model = lowered(chain(), rest({"a": (0, 1), "b": (0,), "y": (0,)}, "x a b y", {}, low_outputs=True)).model
    assert ops(model) == ["Mul", "Neg", "Abs"]
    assert set(types(model).values()) == {TensorProto.FLOAT16}


def test_a_pair_changes_types_without_a_cast():
    net = Net()
    net.node("Relu", net.pair(net.input("x", 2, 4)), out="y")
    model = lowered(net.model("y"), rest({"y": (0,)}, "y", {})).model
    assert ops(model) == ["QuantizeLinear", "DequantizeLinear", "Relu", "Cast"]
    scales = {t.name: t.data_type for t in model.graph.initializer if t.data_type != TensorProto.INT8}
    assert sorted(scales.values()) == [TensorProto.FLOAT, TensorProto.FLOAT16]


def test_readers_that_want_different_types_have_a_dequantizelinear_each():
    net = Net()
    read = net.pair(net.input("x", 2, 4))
    net.node("Relu", read, out="short")
    net.node("Neg", read, out="long")
    model = lowered(net.model("short", "long"), rest({"short": (0,)}, "short", {})).model
    assert ops(model).count("DequantizeLinear") == 2
    types(model)


def test_the_given_model_is_not_touched():
    model = chain()
    before = model.SerializeToString()
    lowered(model, WHOLE)
    assert model.SerializeToString() == before


class TestEmulated:
    X = np.float32([[1.0, -2.0, 0.1, 30000.0]] * 2)

    def test_each_short_result_is_rounded(self):
        found = onnxruntime.run(emulated(lowered(chain(), WHOLE), FP16), {"x": self.X})["y"]
        products = (self.X.astype(np.float16).astype(np.float32) * np.float32(3.0))[:, :3]
        assert np.array_equal(found[:, :3], np.abs(products.astype(np.float16)).astype(np.float32))

    def test_an_overflow_is_seen(self):
        assert np.isinf(onnxruntime.run(emulated(lowered(chain(), WHOLE), FP16), {"x": self.X})["y"][:, 3]).all()

    def test_what_stays_in_fp32_is_not_rounded(self):
        found = onnxruntime.run(emulated(lowered(chain(), rest({}, "", {})), FP16), {"x": self.X})["y"]
        assert np.array_equal(found, np.abs(self.X * np.float32(3.0)))

    def test_it_has_the_interface_of_the_written_model(self):
        written = lowered(chain(), WHOLE)
        assert onnx_io.view(emulated(written, FP16)).inputs == onnx_io.view(written.model).inputs
