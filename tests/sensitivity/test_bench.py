"""Variants measured together have the figures of whole models, whatever is shared."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.e2e.random_graphs import draw
from tests.sensitivity.conftest import Case

from onnxq.catalog.metrics import METRICS
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.journal import Journal
from onnxq.core.report import Fidelity
from onnxq.core.scales import Scales
from onnxq.core.variant import Variant
from onnxq.errors import OnnxqError
from onnxq.pipeline.product import quantized
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity import Scoring, Sheet
from onnxq.stages.verify import fidelity

ALL = Scoring(METRICS)


def whole(case: Case, variant: Variant) -> Fidelity:
    """The figures of a variant as one model."""
    plan, scales = variant.plan, variant.scales
    used = Scales(
        {t: scales.activations[t] for t in plan.activations}, {site: scales.weights[site] for site, _ in plan.weights}
    )
    written = quantized(case.found.ready.subject, plan, used)
    given = Session(case.found.ready.given)
    return fidelity(given, Session(written, setup=Setup(as_written=True)), case.source.batches(), METRICS)


def assert_alike(found: Fidelity, wanted: Fidelity) -> None:
    """The same but for float rounding, which may move single numbers across the border of two codes."""
    assert (found.samples, dict(found.uncompared)) == (wanted.samples, dict(wanted.uncompared))
    assert found.figures.keys() == wanted.figures.keys()
    for output, row in wanted.figures.items():
        assert found.figures[output].keys() == row.keys()
        for one, other in [(found.figures[output]["sqnr"], row["sqnr"])]:
            assert one == other or min(one, other) > 90 or one == pytest.approx(other, abs=0.05)


class TestFigures:
    def test_are_those_of_whole_models(self, digits):
        variants = [digits.full(), *digits.alone(digits.groups), *digits.without(digits.groups)]
        for variant, found in zip(variants, digits.bench().measure(variants, digits.source, ALL), strict=True):
            assert_alike(found, whole(digits, variant))

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(40))
    def test_are_those_of_whole_models_for_random_graphs(self, seed):
        """Branches, control flow, outputs in the middle, other types, dynamic shapes."""
        drawn = draw(seed)
        try:
            case = Case.of(drawn.model, list(drawn.feeds), list(drawn.feeds))
        except OnnxqError:
            pytest.skip("nothing in it can be quantized")
        variants = [case.full(), *case.alone(case.groups), *case.without(case.groups)]
        for variant, found in zip(variants, case.bench().measure(variants, case.source, ALL), strict=True):
            assert_alike(found, whole(case, variant))

    def test_of_fp32_are_beside_those_of_labelled_metrics(self, digits):
        (found,) = digits.bench().measure([digits.full()], digits.source, ALL)
        assert found.baselines == whole(digits, digits.full()).baselines

    def test_do_not_depend_on_jobs(self, digits):
        variants = [digits.full(), *digits.alone(digits.groups)]
        one, three = (
            digits.bench(jobs=jobs, batch_size=8).measure(variants, digits.source.rebatched(8), ALL) for jobs in (1, 3)
        )
        assert one == three

    def test_do_not_depend_on_batches_but_for_rounding(self, digits):
        variants = [digits.full(), *digits.without(digits.groups)]
        cuts = [digits.bench(batch_size=s).measure(variants, digits.source.rebatched(s), ALL) for s in (1, 7, 40)]
        for found in cuts[1:]:
            for one, other in zip(found, cuts[0], strict=True):
                assert_alike(one, other)

    def test_of_variants_that_are_alike_are_the_same(self, digits):
        twins = [digits.full(), replace(digits.full(), name="twin")]
        one, other = digits.bench().measure(twins, digits.source, ALL)
        assert one == other

    def test_of_a_second_measurement_are_the_same(self, digits):
        bench, variants = digits.bench(), list(digits.alone(digits.groups))
        assert bench.measure(variants, digits.source, ALL) == bench.measure(variants, digits.source, ALL)


class TestInterruption:
    def test_what_was_counted_is_not_counted_again(self, digits):
        variants, source = list(digits.alone(digits.groups)), digits.source.rebatched(8)
        bench = digits.bench(batch_size=8)
        entries = []
        journal = Journal(keep=entries.append)
        journal.__class__ = type("Eager", (Journal,), {"is_due": property(lambda _: True)})
        wanted = bench.measure(variants, source, ALL, journal=journal)
        assert len(entries) == 5
        for number, entry in enumerate(entries, 1):
            told: list[Sheet] = []
            assert bench.measure(variants, source, ALL, told.append, Journal(entry)) == wanted
            assert len(told) == 5 - number

    def test_figures_so_far_are_told_after_each_batch(self, digits):
        told = []
        digits.bench(batch_size=16).measure(
            [digits.full()],
            digits.source.rebatched(16),
            Scoring((SQNR, TOP1)),
            lambda sheet: told.append((sheet.samples, sheet.fidelities()[0].samples)),
        )
        assert told == [(16, 16), (32, 32), (40, 40)]

    def test_an_error_in_a_worker_reaches_the_caller_and_stops_the_others(self, digits):
        class Stop(Exception):
            pass

        def tell(_):
            raise Stop

        bench, variants = digits.bench(batch_size=2), list(digits.alone(digits.groups))
        with pytest.raises(Stop):
            bench.measure(variants, digits.source.rebatched(2), ALL, tell)
        assert [thread for thread in threading.enumerate() if thread.name.startswith("onnxq")] == []


class TestBatches:
    def test_of_large_models_are_small_so_that_figures_come_soon(self, digits, monkeypatch):
        sizes = []
        macs = sum(group.macs for group in digits.groups)
        monkeypatch.setattr("onnxq.sensitivity.bench.AT_ONCE", 5 * 11 * macs)
        variants = list(digits.alone(digits.groups))
        digits.bench().measure(variants, digits.source, ALL, lambda sheet: sizes.append(sheet.samples))
        assert sizes == list(range(5, 45, 5))

    def test_are_so_small_that_what_is_kept_fits_into_memory(self, digits):
        sizes = []
        digits.bench(max_memory=60_000, jobs=1).measure(
            list(digits.alone(digits.groups)), digits.source, ALL, lambda sheet: sizes.append(sheet.samples)
        )
        assert 1 <= np.diff([0, *sizes]).max() < 8

    def test_are_as_large_as_was_asked_for(self, digits):
        sizes = []
        digits.bench(max_memory=1, batch_size=20, jobs=1).measure(
            [digits.full()], digits.source.rebatched(20), ALL, lambda sheet: sizes.append(sheet.samples)
        )
        assert sizes == [20, 40]
