"""Loaded pieces are shared, and dropped when they take too much."""

from __future__ import annotations

import numpy as np

from onnxq.runtimes.onnxruntime import run
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity import sessions
from onnxq.sensitivity.segments import Segments
from onnxq.sensitivity.sessions import Sessions
from onnxq.sensitivity.versions import Versions


def cut(digits, memory: int = 1 << 30) -> tuple[Sessions, Versions, int]:
    subject = digits.found.ready.subject
    segments = Segments.of(subject.prepared.model, subject.view, digits.groups, {})
    versions = Versions(segments)
    return Sessions(segments, versions, Setup(), memory), versions, len(segments)


def count_loads(monkeypatch) -> list[int]:
    """Grows with every piece that is loaded."""
    loads = []

    class Counted(sessions.Session):
        def __init__(self, *arguments, **options):
            loads.append(1)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(sessions, "Session", Counted)
    return loads


def test_all_segments_in_fp32_are_the_model(digits):
    found, _, count = cut(digits)
    wanted = run(digits.found.ready.subject.prepared.model, digits.sample)["logits"]
    np.testing.assert_allclose(found.advance(0, (0,) * count, digits.sample)["logits"], wanted, rtol=1e-5)


def test_segments_may_be_run_one_by_one_or_together(digits):
    found, versions, count = cut(digits)
    row = versions.row(digits.full())
    state = digits.sample
    for start in range(count):
        state = found.advance(start, row[start : start + 1], state)
    np.testing.assert_allclose(state["logits"], found.advance(0, row, digits.sample)["logits"], rtol=1e-5)


def test_a_piece_is_loaded_once(digits, monkeypatch):
    loads = count_loads(monkeypatch)
    found, versions, count = cut(digits)
    for row in ((0,) * count, versions.row(digits.full())) * 2:
        found.advance(0, row, digits.sample)
    first = len(loads)
    found.advance(0, (0,) * count, digits.sample)
    assert len(loads) == first


def test_what_was_not_used_for_the_longest_time_is_dropped(digits, monkeypatch):
    loads = count_loads(monkeypatch)
    found, versions, count = cut(digits, memory=1)
    rows = [(0,) * count, versions.row(digits.full())]
    results = [found.advance(0, row, digits.sample)["logits"] for row in rows * 2]
    assert len(loads) >= 4  # nothing is kept but the last one
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[3])
