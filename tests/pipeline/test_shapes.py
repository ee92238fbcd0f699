"""Which shapes an engine is built for."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnxq.core.build_options import Profile
from onnxq.core.samples import Samples
from onnxq.errors import RecipeError
from onnxq.pipeline.shapes import profiles


def model(**inputs: list[int | str]) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_y"]) for name in inputs]
    outputs = [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None) for name in inputs]
    return helper.make_model(helper.make_graph(nodes, "g", values, outputs))


def feeds(*shapes: tuple[int, ...]) -> Samples:
    return Samples([{"x": np.zeros(shape, np.float32)} for shape in shapes])


def test_inputs_without_free_dimensions_need_none():
    assert profiles(model(x=[1, 3]), {}, None) == {}


def test_a_batch_is_1_to_32_and_usually_8():
    assert profiles(model(x=["n", 3]), {}, None) == {"x": Profile((1, 3), (8, 3), (32, 3))}


def test_all_inputs_grow_with_the_batch_wherever_its_axis_is():
    found = profiles(model(x=["n", 3], state=[2, "n", 4]), {}, None)
    assert found["state"] == Profile((2, 1, 4), (2, 8, 4), (2, 32, 4))


def test_a_batch_of_the_samples_that_is_larger_fits():
    assert profiles(model(x=["n", 3]), {}, feeds((64, 3)))["x"].high == (64, 3)


def test_other_free_dimensions_reach_from_the_smallest_to_the_largest_sample_and_suit_the_commonest():
    seen = feeds((1, 20), (1, 10), (1, 12), (1, 12))
    assert profiles(model(x=["n", "t"]), {}, seen) == {"x": Profile((1, 10), (8, 12), (32, 20))}


def test_the_order_of_samples_does_not_matter():
    shapes = [(1, 20), (1, 10)]
    ways = [profiles(model(x=["n", "t"]), {}, feeds(*order)) for order in (shapes, shapes[::-1])]
    assert ways[0] == ways[1]


def test_what_nobody_tells_is_refused_with_what_to_give():
    message = r"Axis 1 of the input 'x' has no size in the model\. Give --shapes x:MIN:OPT:MAX, or samples with --calib"
    with pytest.raises(RecipeError, match=message):
        profiles(model(x=["n", "t"]), {}, None)


def test_what_is_given_comes_first():
    given = {"x": Profile((1, 5), (2, 5), (4, 9))}
    assert profiles(model(x=["n", "t"]), given, None) == given
