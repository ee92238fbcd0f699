"""Specs: as data and back, and as words."""

from __future__ import annotations

import json

import pytest

from onnxq.core.spec import PerAxis, PerBlock, PerTensor, Spec
from onnxq.errors import PlanError

SPECS = [
    (Spec("int8"), "int8 per tensor"),
    (Spec("int8", PerTensor(), "weight"), "int8 per tensor"),
    (Spec("int8", PerAxis(0), "weight"), "int8 per channel, axis 0"),
    (Spec("int8", PerAxis(-1), "weight"), "int8 per channel, axis -1"),
    (Spec("int4", PerBlock(1, 32), "weight"), "int4 per 32 along axis 1"),
    (Spec("int4", PerBlock(0, 32), "weight"), "int4 per 32 along axis 0"),
]


@pytest.mark.parametrize(("spec", "words"), SPECS)
def test_a_spec_goes_through_json_and_back(spec, words):
    assert Spec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert str(spec) == words


def test_a_format_alone_is_a_spec():
    assert Spec.from_json({"format": "int8"}) == Spec("int8")


@pytest.mark.parametrize("data", ["int8", 5, [], {"format": "int8", "scale": 1.0}])
def test_other_keys_are_refused(data):
    with pytest.raises(PlanError, match=r"^A spec has the keys format, role, axis and block_size\. Got "):
        Spec.from_json(data)


@pytest.mark.parametrize("data", [{}, {"role": "weight"}, {"format": 8}, {"format": "int8", "role": "bias"}])
def test_a_missing_format_or_an_unknown_role_is_refused(data):
    with pytest.raises(PlanError, match=r"^A spec needs a format and the role 'activation' or 'weight'\. Got "):
        Spec.from_json(data)


@pytest.mark.parametrize(
    "cut", [{"axis": "0"}, {"axis": 0.0}, {"axis": True}, {"block_size": 4}, {"axis": 0, "block_size": "4"}]
)
def test_an_axis_that_is_no_whole_number_is_refused(cut):
    with pytest.raises(PlanError, match=r"^The axis and block_size of a spec must be whole numbers\. Got "):
        Spec.from_json({"format": "int8", **cut})
