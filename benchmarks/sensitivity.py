"""Sensitivity: onnxq's engine beside naive re-evaluation, and where the noise of each model comes from.

`sensitivity.py --out sensitivity.md`. Naive means: each variant written, saved, loaded and run whole, one after the
other. Both give their figures, which are compared.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime as ort

import onnxq
from cases import Case, find_cases
from onnxq import onnx_io
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.core.batch import Batch, Tensors
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.observer import Clock, Silent
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity
from onnxq.core.scales import Scales
from onnxq.core.variant import Variant
from onnxq.pipeline import Scaled, scaled
from onnxq.pipeline.measurement import shapes
from onnxq.pipeline.order import Order
from onnxq.pipeline.product import quantized
from onnxq.pipeline.sources import first
from onnxq.runtimes.machine import cores
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.sensitivity import Bench, Scoring
from onnxq.stages.plan.groups import kernels
from onnxq.stages.verify import FidelitySums

Made = TypeVar("Made")

WORST = 5
"""Groups that are named of each model."""


@dataclass(frozen=True)
class Race:
    """Seconds of both ways, and how far their figures are apart."""

    mode: str
    variants: int
    engine: float
    naive: float
    reference: float
    apart: float
    same_order: bool

    @property
    def row(self) -> str:
        whole = self.naive + self.reference
        return (
            f"| {self.mode} | {self.variants} | {self.engine:.1f} | {self.naive:.1f} | {whole:.1f} | "
            f"{self.naive / self.engine:.1f} | {whole / self.engine:.1f} | {self.apart:.2g} | "
            f"{'yes' if self.same_order else 'no'} |"
        )


def race(case: Case, samples: int) -> Iterator[Race]:
    """One run per mode."""
    calib, _ = case.load("calib", case.calib_samples)
    inputs, _ = case.load("eval", samples)
    order = Order(calib, Recipe(rest="fp32"), Execution(), None, inputs)
    found = scaled(str(case.model), order, Clock(Silent()))
    source = found.ready.sources.evaluation
    assert source is not None
    batches = list(source.batches())
    groups = groups_of(found)
    for mode in ("alone", "without"):
        variants = list(variants_of(found, groups, mode))

        def engine(variants: Sequence[Variant] = variants) -> Sequence[Fidelity]:
            sample = next(first(source.batches()).split())
            return Bench(found.ready.given, found.ready.subject, groups, sample, Execution()).measure(
                variants, source, Scoring((SQNR,))
            )

        fast, seconds = timed(engine)
        slow, naive_seconds, reference = naive(found, variants, batches)
        figures = [np.array([worst(fidelity) for fidelity in each]) for each in (fast, slow)]
        same = np.array_equal(*(np.argsort(each, kind="stable") for each in figures))
        apart = float(np.abs(figures[0] - figures[1]).max())
        yield Race(mode, len(variants), seconds, naive_seconds, reference, apart, bool(same))


def naive(found: Scaled, variants: Sequence[Variant], batches: Sequence[Batch]) -> tuple[list[Fidelity], float, float]:
    """Figures; the seconds that variants take, saved, loaded and run whole; and those of running FP32 for each."""
    figures, seconds, reference = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "variant.onnx")
        for variant in variants:
            before, spent = timed(lambda: run_whole(found.ready.given, batches, as_written=False))
            reference += spent

            def one(variant: Variant = variant, before: list[Tensors] = before) -> Fidelity:
                written = quantized(found.ready.subject, variant.plan, used(variant))
                onnx_io.save(written, path)
                after = run_whole(onnx_io.load(path), batches, as_written=True)
                sums = FidelitySums((SQNR,))
                for batch, one, other in zip(batches, before, after, strict=True):
                    sums.add(batch, one, other)
                return sums.fidelity()

            fidelity, spent = timed(one)
            figures.append(fidelity)
            seconds += spent
    return figures, seconds, reference


def run_whole(model: onnx.ModelProto, batches: Sequence[Batch], as_written: bool) -> list[Tensors]:
    session = Session(model, setup=Setup(as_written=as_written))
    return [session(batch.feeds) for batch in batches]


def used(variant: Variant) -> Scales:
    """The scales of what the variant quantizes, and no others."""
    weights = {site for site, _ in variant.plan.weights}
    activations = set(variant.plan.activations)
    return Scales(
        {tensor: params for tensor, params in variant.scales.activations.items() if tensor in activations},
        {site: params for site, params in variant.scales.weights.items() if site in weights},
    )


def groups_of(found: Scaled) -> tuple[Group, ...]:
    ready = found.ready
    source = ready.sources.evaluation
    assert source is not None
    sizes = shapes(ready.subject, next(first(source.batches()).split()), Execution())
    return kernels(ready.plan, ready.subject.view, ready.subject.target, sizes)


def variants_of(found: Scaled, groups: Sequence[Group], mode: str) -> Iterator[Variant]:
    plan = found.ready.plan
    nodes = {decision.site.node for decision in plan.quantized}
    for group in groups:
        floats = nodes.difference(group.nodes) if mode == "alone" else group.nodes
        yield Variant(group.name, plan.without(floats), found.scales)


def worst(fidelity: Fidelity) -> float:
    return fidelity.worst(SQNR)[1]


def timed(work: Callable[[], Made]) -> tuple[Made, float]:
    start = time.perf_counter()
    made = work()
    return made, time.perf_counter() - start


def noise_row(case: Case, samples: int) -> str:
    """Where the noise of a model comes from: the worst groups with their part of it."""
    calib, _ = case.load("calib", case.calib_samples)
    inputs, _ = case.load("eval", samples)
    if case.whole_feeds:
        calib, inputs = (
            [{name: array[row] for name, array in arrays.items()} for row in range(len(next(iter(arrays.values()))))]
            for arrays in (calib, inputs)
        )
    found, seconds = timed(lambda: onnxq.rank(str(case.model), calib, evaluation=inputs))
    named = ", ".join(
        f"{rank.group.op} `{short(rank.group.name)}` {share:.0f} %"
        for rank, share in zip(found.ranks[:WORST], found.shares, strict=False)
    )
    total = 100 * sum(rank.group.macs for rank in found.ranks[:WORST]) / found.macs
    part = sum(found.shares[:WORST])
    return (
        f"| {case.name} | {len(found.ranks)} | {worst(found.full):.1f} | {named} | {part:.0f} | {total:.0f} | "
        f"{seconds:.1f} |"
    )


def short(name: str) -> str:
    """The name; if it is long, its beginning and its end."""
    return name if len(name) <= 40 else f"{name[:18]}…{name[-18:]}"


def report(options: argparse.Namespace) -> Iterator[str]:
    yield "# Sensitivity\n"
    yield (
        f"onnxq {onnxq.__version__}, onnxruntime {ort.__version__}, {platform.processor() or platform.machine()}, "
        f"{cores()} cores. By `benchmarks/sensitivity.py`; what the columns mean is in README.md.\n"
    )
    for case in find_cases(options.race):
        yield f"## Engine and naive re-evaluation: {case.name}, {options.samples} samples\n"
        yield (
            "| mode | variants | engine, s | naive, s | naive with FP32, s | ratio | ratio with FP32 | "
            "apart at most, dB | same order |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
        )
        for found in race(case, options.samples):
            yield found.row
        yield ""
    yield "## Where the noise comes from\n"
    yield (
        f"| model | groups | all quantized, dB | the worst {WORST} groups, each alone, and their part of the noise | "
        "together, % | their MACs, % | time, s |\n| --- | ---: | ---: | --- | ---: | ---: | ---: |"
    )
    for case in find_cases(options.models):
        yield noise_row(case, min(options.samples, 32) if case.has_fixed_batch else options.samples)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--race", default="cifar10_resnet56", help="the models of the race, a glob")
    parser.add_argument("--models", default="*", help="the models of the table, a glob")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = []
    for line in report(options):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
