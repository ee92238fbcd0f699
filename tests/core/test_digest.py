"""A digest tells values apart, and depends on nothing but them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from onnxq.catalog.floats.bf16 import BF16
from onnxq.catalog.floats.fp16 import FP16
from onnxq.catalog.formats.int8 import INT8
from onnxq.catalog.formats.uint8 import UINT8
from onnxq.core.digest import digest
from onnxq.core.graph import Site
from onnxq.core.spec import PerAxis


@dataclass(frozen=True)
class Other:
    """Has the field of PerAxis."""

    axis: int


ROW = np.arange(6, dtype=np.float32)
APART = (
    *(None, True, 1, 1.0, "1", b"1", "", (), {}, 0, False, -0.0, 0.0),
    *((1, 2), ((1,), 2), (1, (2,)), (1, 2, ()), ("1", "2"), ("12",), ("1,2",)),
    *({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 2}, ("a", 1)),
    *(ROW, ROW.astype(np.float64), ROW.reshape(2, 3), ROW.reshape(3, 2), ROW[:5], -ROW, ROW.astype(">f4"), ROW[::-1]),
    *(ROW[:0], ROW[:0].reshape(0, 3), np.float32(1), np.float64(1), np.ones(1, np.float32)),
    *(PerAxis(1), PerAxis(0), Other(1), Site("t", "n", 0), Site("n", "t", 0), INT8, UINT8),
)


def test_all_these_are_told_apart():
    assert len({digest(value) for value in APART}) == len(APART)


def test_each_is_told_apart_deep_inside():
    assert len({digest((Site("t", "n", 0), {"k": [value]}, ROW)) for value in APART}) == len(APART)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ROW, ROW.copy()),
        (np.asfortranarray(ROW.reshape(2, 3)), ROW.reshape(2, 3)),
        (np.repeat(ROW, 2)[::2], ROW),
        ((1, 2), [1, 2]),
        (PerAxis(1), PerAxis(1)),
    ],
    ids=["copied", "turned in memory", "with gaps", "a list", "a dataclass"],
)
def test_what_is_equal_is_not(one, other):
    assert digest(one) == digest(other)


SCRIPT = """
import numpy as np
from onnxq.core.digest import digest
from onnxq.core.graph import Site
print(digest((Site("t", "n", 0), {"k": [np.arange(3), None, "text"]})))
"""


def test_another_process_finds_the_same():
    def other(seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert other("1") == other("2") == digest((Site("t", "n", 0), {"k": [np.arange(3), None, "text"]}))


@pytest.mark.parametrize("value", [{1, 2}, print, object(), np.array([{}], object)], ids=lambda v: type(v).__name__)
def test_what_has_no_order_or_no_content_has_none(value):
    with pytest.raises(TypeError, match=r"has no digest\.$"):
        digest((1, value))


def test_types_are_told_apart_by_name():
    assert digest(FP16) == digest(FP16)
    assert len({digest(FP16), digest(BF16), digest(INT8)}) == 3
