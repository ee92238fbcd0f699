"""Where a model is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxq import onnx_io
from onnxq.core.group import Group
from onnxq.sensitivity.segments import MOST, Segments, pieces


def chain(length: int) -> onnx.ModelProto:
    """A product per node, each of which reads what the one before makes."""
    names = ["x", *(f"t{number}" for number in range(length))]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [a, "w"], [b], b) for a, b in pairwise(names)],
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")],
        value_info=[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in names[1:-1]],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def group(*nodes: str) -> Group:
    return Group(nodes[0], "MatMul", nodes, (), 0, 0)


def cut(model: onnx.ModelProto, groups: list[Group], sizes: dict[str, int] | None = None) -> Segments:
    return Segments.of(model, onnx_io.view(model), groups, sizes or {})


def test_a_segment_begins_with_each_group():
    found = cut(chain(6), [group("t1", "t2"), group("t3"), group("t5")])
    assert found.borders == (0, 1, 3, 5, 6)
    assert found.numbers == {"t0": 0, "t1": 1, "t2": 1, "t3": 2, "t4": 2, "t5": 3}


def test_no_group_is_cut():
    found = cut(chain(6), [group("t1", "t4"), group("t2"), group("t3"), group("t5")])
    assert found.borders == (0, 1, 5, 6)


def test_of_many_groups_the_narrowest_places_are_taken():
    model = chain(200)
    names = [f"t{number}" for number in range(200)]
    sizes = dict.fromkeys(names, 10) | dict.fromkeys(names[50:100:7], 1)
    found = cut(model, [group(name) for name in names], sizes)
    assert len(found) == MOST
    narrow = {place for place, tensors in zip(found.borders, found.crossing, strict=True) if sizes.get(tensors[0]) == 1}
    assert {51, 58, 65, 72, 79, 86, 93} <= narrow


def test_what_has_no_known_type_is_not_cut_off():
    model = chain(4)
    del model.graph.value_info[1]
    assert cut(model, [group("t1"), group("t2"), group("t3")]).borders == (0, 1, 3, 4)


def test_a_piece_reads_what_crosses_and_makes_what_is_needed():
    model = chain(4)
    model.graph.node[3].input[1] = "t0"
    found = cut(model, [group("t1"), group("t2"), group("t3")])
    piece = found.piece(1, 2)
    assert [value.name for value in piece.graph.input] == ["t0"]
    assert [value.name for value in piece.graph.output] == ["t1"]
    assert [tensor.name for tensor in piece.graph.initializer] == ["w"]
    assert found.crossing[2] == ("t0", "t1")


def test_dimensions_that_a_file_claims_of_inner_tensors_are_not_believed():
    model = chain(3)
    model.graph.value_info[0].type.tensor_type.shape.dim[0].dim_value = 1  # a batch that was freed later
    piece = cut(model, [group("t1"), group("t2")]).piece(1, 3)
    assert not any(dim.HasField("dim_value") for dim in piece.graph.input[0].type.tensor_type.shape.dim)


@pytest.mark.parametrize("start", range(12))
@pytest.mark.parametrize("stop", range(1, 13))
def test_pieces_cover_a_range(start, stop):
    found = list(pieces(start, stop))
    assert [number for first, last in found for number in range(first, last)] == list(range(start, stop))


def test_pieces_are_few_and_come_from_a_small_set():
    found = {piece for start in range(64) for stop in range(start + 1, 65) for piece in pieces(start, stop)}
    assert len(found) == 127
    assert max(len(list(pieces(start, 64))) for start in range(64)) == 6
