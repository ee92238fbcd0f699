from __future__ import annotations

from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.formats.int8 import INT8


def test_it_keeps_exactly_what_was_seen_and_zero(anything):
    values, measured = anything
    chosen = Max().choose(measured, INT8)
    assert (chosen.low, chosen.high) == (min(values.min(initial=0.0), 0.0), max(values.max(initial=0.0), 0.0))
