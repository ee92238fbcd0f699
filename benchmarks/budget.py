"""The search for a budget: beside other strategies, on data it has not seen, and calibrators by tensor.

`budget.py --out budget.md`, or `--only strategies,labelled,calibrators` of it; what the columns mean is in README.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cases import find_cases
from compare import processor, version
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.budget import Budget
from onnxq.core.recipe import Recipe
from per_tensor import calibrators as calibrators_of
from strategies import PLAIN, STRATEGIES, Ground, Reached, pursue, shipped
from table import line
from unseen import Unseen, unseen

FLOORS = (25.0, 30.0)
DROP = 0.002


def strategies(options: argparse.Namespace) -> Iterator[str]:
    """What part of the multiply-accumulates each strategy leaves in float for an SQNR of the worst output."""
    yield line(["model", "at least, dB", "strategy", "float MACs, %", "reached, dB", "float groups", "measured", "s"])
    yield "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    for case in find_cases(options.models or "[fy]*t*"):
        for floor in options.floors:
            ground = Ground.of(case, Budget(SQNR.name, floor=floor), options.samples)
            yield _strategy_row(ground, "onnxq", shipped(ground, PLAIN))
            for name, strategy in STRATEGIES.items():
                yield _strategy_row(ground, name, pursue(strategy, ground, options.limit))
            yield _strategy_row(ground, "onnxq, the rest in FP16", shipped(ground, Recipe()))


def labelled(options: argparse.Namespace) -> Iterator[str]:
    """A drop of 0.2 % is searched for on even evaluation samples, and judged on odd ones."""
    titles = "model|samples|FP32, %|drop, points|error|allowed|verdict|INT8 MACs, %"
    yield line(f"{titles}|all quantized: drop where searched|INT8 MACs, %|measured|s".split("|"))
    yield f"| --- |{' ---: |' * 5} --- |{' ---: |' * 5}"
    for case in find_cases(options.models or "*"):
        if not case.classifies or case.name == "vww_mobilenet_mlperf":  # its data have labels of another kind
            continue
        found = unseen(case, Budget(TOP1.name, drop=DROP, relative=True, best_effort=True), None)
        yield _labelled_row(case.name, found)


def calibrators(options: argparse.Namespace) -> Iterator[str]:
    """The SQNR of the worst output in dB, by one calibrator for all activations, and by one for each."""
    yield line(["model", "mse", "best on samples aside", "best in hindsight", "by tensor", "changed"])
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for case in find_cases(options.models or "*"):
        if case.whole_feeds:  # a recurrent model, whose INT8 part is small
            continue
        found = calibrators_of(case, options.samples)
        singles = (f"{found.singles[name]:.2f} ({name})" for name in (found.single, found.best))
        changed, count = found.changed
        yield line([case.name, f"{found.singles['mse']:.2f}", *singles, f"{found.each:.2f}", f"{changed} of {count}"])


def _labelled_row(name: str, found: Unseen) -> str:
    outcome, kept = found.outcome, found.found
    points = (kept.right, kept.drop, kept.error, found.allowed)
    plain = ((outcome.baseline or 0.0) - outcome.plain.figure, 100 * outcome.plain.share)
    return line(
        [
            *(name, f"{kept.samples}", *(f"{value:.2f}" for value in points), found.verdict),
            *(f"{100 * outcome.reached.share:.1f}", f"{plain[0]:.2f}", f"{plain[1]:.1f}"),
            *(f"{outcome.trials}", f"{found.seconds:.0f}"),
        ]
    )


def _strategy_row(ground: Ground, name: str, reached: Reached) -> str:
    best = reached.best
    figures = ["none", "-", "-"]
    if best:
        figures = [f"{100 * (1 - best.share):.2f}", f"{best.figure:.2f}", f"{len(best.choice.floats)}"]
    measured = f"{reached.measured}{' (cut)' if reached.cut else ''}"
    return line([ground.case.name, f"{ground.allowed:g}", name, *figures, measured, f"{reached.seconds:.0f}"])


QUESTIONS = {question.__name__: question for question in (strategies, labelled, calibrators)}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(QUESTIONS), help="comma-separated questions; default: %(default)s")
    parser.add_argument("--models", metavar="GLOB", help="names of models; default: those of the question")
    parser.add_argument("--floors", type=_floats, default=FLOORS, metavar="DB,DB", help="what strategies have to reach")
    parser.add_argument("--limit", type=float, default=240.0, metavar="S", help="seconds until a strategy is cut")
    parser.add_argument("--samples", type=int, default=1000, metavar="N", help="evaluation samples, but for labelled")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="where to write the tables, after every row")
    options = parser.parse_args(arguments)
    if unknown := set(options.only.split(",")) - QUESTIONS.keys():
        parser.error(f"no question is called {', '.join(sorted(unknown))}. Choose from: {', '.join(QUESTIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    packages = ", ".join(f"{name} {version(sys.executable, name)}" for name in ("onnxq", "onnxruntime", "scipy"))
    load = f"Load when it began: {os.getloadavg()[0]:.1f}."
    lines = [
        "# Budgets\n",
        f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores. {packages}. {load}",
    ]
    for name in options.only.split(","):
        lines.append(f"\n## {name.capitalize()}\n\n{QUESTIONS[name].__doc__}\n")
        for row in QUESTIONS[name](options):
            print(row, flush=True)
            lines.append(row)
            if options.out:
                options.out.write_text("\n".join(lines) + "\n")
    return 0


def _floats(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
