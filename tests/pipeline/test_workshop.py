"""Where a fix is applied: what it can run, and what follows from what it makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fixes import HARMS, IDLE, MOVES, Toy, quadrupled

from onnxq.core.execution import Execution
from onnxq.core.fix import Fixed
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.pipeline import Order, scaled
from onnxq.pipeline.workshop import Workshop, case_of

MODELS = Path(__file__).parents[2] / "models"
IMAGES = np.load(MODELS / "digits_calib.npz")["image"][:32]


@pytest.fixture(scope="module")
def found():
    order, clock = Order({"image": IMAGES}, Recipe(rest="fp32"), Execution()), Clock(Silent())
    return scaled(MODELS / "digits_resnet.onnx", order, clock), order, clock


@pytest.fixture(scope="module")
def workshop(found):
    return Workshop.of(*found)


def weights(scaled):
    return {name: array.tobytes() for name, array in scaled.subject.view.constants.items()}


class TestLab:
    def test_it_computes_in_float_or_with_qdq(self, found):
        case = case_of(found[0], None, Execution())
        feeds, tensor = {"image": IMAGES}, "/stem/stem.2/Relu_output_0"
        one, other = (case.run(case.view, scales, [tensor])(feeds)[tensor] for scales in (None, case.scales))
        assert 0.0 < np.abs(one - other).max() < 0.2 * np.abs(one).max()

    def test_it_runs_what_a_fix_made_of_the_model(self, found):
        case = case_of(found[0], None, Execution())
        changed, feeds = HARMS(case).view, {"image": IMAGES}
        one, other = (case.run(view, None, ["logits"])(feeds)["logits"] for view in (case.view, changed))
        assert not np.allclose(one, other)

    def test_an_edge_without_a_scale_stays_in_float(self, found):
        case = case_of(found[0], None, Execution())
        few = replace(case.scales, activations={}, weights={})
        feeds = {"image": IMAGES}
        one, other = (case.run(case.view, scales, ["logits"])(feeds)["logits"] for scales in (None, few))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


class TestApply:
    def test_one_that_finds_nothing_to_do_changes_nothing(self, found, workshop):
        work = workshop.apply(IDLE, found[0])
        assert work.found is found[0]
        assert (work.notes, work.drift) == (("no such operator",), None)

    def test_the_same_constants_in_another_mapping_are_no_change(self, found, workshop):
        copied = Toy("copies", lambda case: Fixed(replace(case.view, constants=dict(case.view.constants))))
        assert workshop.apply(copied, found[0]).found is found[0]

    def test_one_that_corrects_leaves_the_reference_and_what_was_measured(self, found, workshop):
        before, after = found[0], workshop.apply(HARMS, found[0]).found
        assert after.subject is not before.subject
        assert (after.reference, after.statistics) == (before.reference, before.statistics)
        assert {t: p.scale for t, p in after.scales.activations.items()} == {
            t: p.scale for t, p in before.scales.activations.items()
        }

    def test_other_scales_alone_are_a_change(self, found, workshop):
        def halves(case):
            weights = {site: replace(p, scale=p.scale / 2) for site, p in case.scales.weights.items()}
            return Fixed(case.view, replace(case.scales, weights=weights))

        after = workshop.apply(Toy("halves", halves), found[0]).found
        assert after is not found[0]
        assert weights(after) == weights(found[0])

    def test_one_that_preserves_is_the_new_reference(self, found, workshop):
        work = workshop.apply(MOVES, found[0])
        assert work.found.reference.view.constants == work.found.subject.view.constants
        assert work.found.ready is found[0].ready
        assert work.drift < 1e-5

    def test_one_that_hands_over_a_reference_is_measured_as_if_it_preserved(self, found, workshop):
        def recast(case):
            return replace(quadrupled(case), reference=quadrupled(replace(case, view=case.reference)).view)

        one, other = (workshop.apply(fix, found[0]).found for fix in (MOVES, Toy("recasts", recast)))
        assert weights(one) == weights(other)
        assert {t: p.scale for t, p in one.scales.activations.items()} == {
            t: p.scale for t, p in other.scales.activations.items()
        }
        assert one.statistics.model == other.statistics.model

    def test_scales_that_it_brings_are_stored_as_all_are(self, found, workshop):
        def wider(case):
            odd = {t: replace(p, scale=p.scale * np.float32(1.23)) for t, p in case.scales.activations.items()}
            return Fixed(case.view, replace(case.scales, activations=odd))

        after = workshop.apply(Toy("widens", wider), found[0]).found
        for tensor, params in after.scales.activations.items():
            assert params.scale == np.float32(np.float16(params.scale))
            assert params.scale >= found[0].scales.activations[tensor].scale * np.float32(1.22)
