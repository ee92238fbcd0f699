"""Segments that are quantized alike have one number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxq.core.scales import Scales
from onnxq.core.variant import Variant
from onnxq.sensitivity.segments import Segments
from onnxq.sensitivity.versions import Versions


def versions(digits) -> Versions:
    subject = digits.found.ready.subject
    return Versions(Segments.of(subject.prepared.model, subject.view, digits.groups, {}))


def test_nothing_quantized_is_fp32_throughout(digits):
    nodes = {decision.site.node for decision in digits.found.ready.plan.quantized}
    bare = Variant("none", digits.found.ready.plan.without(nodes), digits.found.scales)
    assert set(versions(digits).row(bare)) == {0}


def test_one_group_differs_from_fp32_in_its_own_segment_only(digits):
    known = versions(digits)
    rows = [known.row(variant) for variant in digits.alone(digits.groups)]
    assert [sum(number > 0 for number in row) for row in rows] == [1] * len(rows)


def test_the_same_group_has_the_same_version_in_every_variant(digits):
    known = versions(digits)
    full = known.row(digits.full())
    for variant in digits.without(digits.groups):
        assert {number for number in known.row(variant) if number} <= {*full, *range(max(full), 1000)}
    rest = known.row(next(digits.without(digits.groups[:1])))
    assert rest[-1] == full[-1]


def test_other_scales_are_another_version(digits):
    known, full = versions(digits), digits.full()
    tensor = full.plan.activations[0]
    params = full.scales.activations[tensor]
    scales = Scales(
        {**full.scales.activations, tensor: replace(params, scale=params.scale * np.float32(2))}, full.scales.weights
    )
    rows = known.row(full), known.row(Variant("other", full.plan, scales))
    assert sum(a != b for a, b in zip(*rows, strict=True)) == 1
