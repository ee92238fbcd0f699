"""How fast quantized models run: FP32 against INT8 in OpenVINO and ONNX Runtime on the CPU, and in TensorRT on a GPU.

python benchmarks/latency.py [--models GLOBS] [--tools NAMES] [--modelopt-python PATH] [--out FILE.md] ...

Every tool quantizes a copy of the model once. Then, by engine, model and batch, all of them take turns in one process.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from bench import UNQUANTIZED, StepError, child, time_once
from cases import Case, find_cases
from compare import absolute, processor, version
from engines import ENGINES
from table import line
from tools import Job, Tool, find_tools

MODELS = ("cifar10_resnet20", "cifar10_resnet56", "face_rfb320", "fastestdet", "cifar10_mobilenetv2")
TOOLS = ("onnxq", "modelopt-max", "onnxq-ort", "onnxruntime-uint8")
BATCHES = (1, 8)
TITLES = ("model", "batch", "tool", "median ms", "of FP32", "of rival", "INT8 computes", "left", "allowed")
RIVALS = {"onnxq-ort": "onnxruntime", "onnxq": "modelopt"}
"""The first letters of a tool -> the family of the one it is measured against."""


@dataclass(frozen=True)
class Settings:
    """Turns of each competitor, and the threads that an engine may use on a CPU."""

    rounds: int
    threads: int

    @property
    def arguments(self) -> list[str]:
        return ["--rounds", str(self.rounds), "--threads", str(self.threads)]


@dataclass(frozen=True)
class Bar:
    """The largest ratio that we allow `tool` on an engine: of the time of its rival, or of FP32."""

    engine: str
    tool: str
    against: str
    most: float
    models: tuple[str, ...] = MODELS
    batches: tuple[int, ...] = BATCHES


BARS = (
    Bar("openvino", "onnxq", "rival", 1.05, models=("cifar10_resnet20", "cifar10_resnet56", "face_rfb320")),
    Bar("openvino", "onnxq", "FP32", 1 / 1.6, models=("cifar10_resnet20",), batches=(8,)),
    Bar("openvino", "onnxq-ort", "rival", 1.05),
    Bar("onnxruntime", "onnxq-ort", "rival", 1.05),
)


@dataclass(frozen=True)
class Ratio:
    """The median of paired ratios, and their quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"

    def verdict(self, most: float) -> str:
        """ "unclear" is a median above `most` with a quarter of the turns below it."""
        if self.median <= most:
            return "met"
        return "unclear" if self.low <= most else "MISSED"


@dataclass(frozen=True)
class Row:
    """One tool's model on an engine; ratios are None where there is nothing to compare with."""

    engine: str
    model: str
    batch: int
    tool: str
    milliseconds: float | None = None
    of_fp32: Ratio | None = None
    of_rival: Ratio | None = None
    int8: str = "-"
    left: str = ""

    @property
    def bars(self) -> Iterator[tuple[Bar, Ratio]]:
        """What is allowed here, and the figure to hold against it."""
        for bar in BARS:
            value = self.of_fp32 if bar.against == "FP32" else self.of_rival
            here = (bar.engine, bar.tool) == (self.engine, self.tool)
            if here and value is not None and self.model in bar.models and self.batch in bar.batches:
                yield bar, value

    @property
    def cells(self) -> list[str]:
        figures = [f"{self.milliseconds:.3f}" if self.milliseconds else "-", *map(told, (self.of_fp32, self.of_rival))]
        allowed = [f"{bar.most:.3g} of {bar.against}: {value.verdict(bar.most)}" for bar, value in self.bars]
        return [self.model, str(self.batch), self.tool, *figures, self.int8, self.left, ", ".join(allowed)]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parse(arguments)
    cases = [case for case in find_cases() if any(fnmatch(case.name, glob) for glob in asked.models.split(","))]
    try:
        tools = find_tools(asked.tools.split(","), {"modelopt": asked.modelopt_python}, sys.executable)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if not cases:
        print(f"No model is called {asked.models}. ONNXQ_ZOO names the folder of the zoo's models.", file=sys.stderr)
        return 2
    settings = Settings(asked.rounds, asked.threads)
    report = Report(asked.out, header(tools, settings))
    with tempfile.TemporaryDirectory() as name:
        folder = asked.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        models = {case.name: dict(quantized(case, tools, folder, report)) for case in cases}
        for engine in asked.engines.split(","):
            try:
                report.begin(child("race.py", engine).strip())
            except StepError as absent:
                report.say(f"\n{engine}: skipped. {str(absent).removeprefix('AbsentError: ')}")
                continue
            for case in cases:
                for row in measured(engine, case, models[case.name], settings):
                    report.say(line(row.cells))
            report.say(f"\nLoad at the end: {os.getloadavg()[0]:.1f}.")
    return 0


class Report:
    """Lines that are printed and, at once, in the file."""

    def __init__(self, out: Path | None, first: str) -> None:
        self.out, self.lines = out, list[str]()
        self.say(first)

    def begin(self, title: str) -> None:
        """A table of its own."""
        rule = ["---:" if 0 < place < len(TITLES) - 2 and place != 2 else "---" for place in range(len(TITLES))]
        self.say(f"\n## {title}\n\n{line(TITLES)}\n{line(rule)}")

    def say(self, text: str) -> None:
        print(text, flush=True)
        self.lines.append(text)
        if self.out:
            self.out.write_text("\n".join(self.lines) + "\n")


def quantized(case: Case, tools: Sequence[Tool], folder: Path, report: Report) -> Iterator[tuple[str, Path]]:
    """What each tool writes, into `folder` as MODEL.TOOL.onnx; a file that is there already is taken as it is."""
    yield UNQUANTIZED, case.model
    calib, _ = case.load("calib", case.calib_samples)
    for tool in tools:
        kept = folder / f"{case.name}.{tool.name}.onnx"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as name:
                fresh = Path(name)
                size = case.batch if case.has_fixed_batch else None
                job = Job(fresh / case.model.name, fresh / "out.onnx", fresh / "calib.npz", size, case.whole_feeds)
                np.savez(job.calib, **calib)
                try:
                    time_once(case, tool, job, timeout=300)
                except StepError as failure:
                    report.say(f"- {case.name}: {tool.name} fails: {failure}")
                    continue
                shutil.copyfile(job.target, kept)
        yield tool.name, kept


def measured(engine: str, case: Case, models: Mapping[str, Path], settings: Settings) -> Iterator[Row]:
    """Rows of all batches; a batch that the model does not take is one line without figures."""
    for batch in BATCHES:
        if batch > 1 and case.has_fixed_batch:
            yield Row(engine, case.name, batch, "-", left=f"skipped: the model takes batches of {case.batch} only")
            continue
        with tempfile.TemporaryDirectory() as name:
            inputs, _ = case.load("eval", batch)
            np.savez(Path(name, "feed.npz"), **inputs)
            named = [f"{tool}={model}" for tool, model in models.items()]
            try:
                answer = child("race.py", engine, f"{name}/feed.npz", *settings.arguments, *named)
            except StepError as failure:
                yield Row(engine, case.name, batch, "-", left=f"fails: {failure}")
                continue
        yield from rows(engine, case.name, batch, json.loads(answer))


def rows(engine: str, model: str, batch: int, race: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """A row for each tool in `race`, which has FP32 first."""
    seconds = {tool: figures["seconds"] for tool, figures in race.items() if "seconds" in figures}
    for tool, figures in race.items():
        if tool not in seconds:
            yield Row(engine, model, batch, tool, left=f"refused: {figures['refusal'][:160]}")
            continue
        rival = rival_of(tool, seconds)
        yield Row(
            engine,
            model,
            batch,
            tool,
            1000 * statistics.median(seconds[tool]),
            paired(seconds[tool], seconds[UNQUANTIZED]) if tool != UNQUANTIZED and UNQUANTIZED in seconds else None,
            paired(seconds[tool], seconds[rival]) if rival else None,
            f"{figures['int8']}/{figures['computes']}",
            ", ".join(f"{count} {what}" for what, count in figures["left"].items()),
        )


def rival_of(tool: str, others: Mapping[str, object]) -> str | None:
    family = next((family for prefix, family in RIVALS.items() if tool.startswith(prefix)), None)
    return next((other for other in others if family and other.startswith(family)), None)


def paired(seconds: Sequence[float], others: Sequence[float]) -> Ratio:
    """Of turns that followed each other: a machine that slows down slows both."""
    low, median, high = np.percentile(np.divide(seconds, others), (25, 50, 75))
    return Ratio(float(median), float(low), float(high))


def told(value: Ratio | None) -> str:
    return "-" if value is None else str(value)


def header(tools: Sequence[Tool], settings: Settings) -> str:
    """What was run, where and when, and how to read the columns."""
    versions = ", ".join(dict.fromkeys(f"{tool.package} {version(tool.python, tool.package)}" for tool in tools))
    return f"""# Latency

{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}. {versions}.
Threads: {settings.threads}. Load when it began: {os.getloadavg()[0]:.1f}.

- median ms: of {settings.rounds} turns, each a burst of inferences of one batch; competitors take turns in one process
- of FP32, of rival: the median ratio of turns that followed each other, and in brackets its quartiles; the rival is
  ModelOpt for TensorRT's placement (onnxq), onnxruntime's own for onnxruntime's (onnxq-ort)
- INT8 computes: convolutions and matrix products that read INT8, of all
- left, OpenVINO: INT8 computes that write floats; Reorder nodes (another layout or type); pointwise nodes (Eltwise
  and Subgraph); nodes beside computes that read floats
- left, ONNX Runtime: QuantizeLinear and DequantizeLinear; nodes in float beside computes
- allowed: the bars that onnxq sets itself; "unclear" is a median above one with the lower quartile below it
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS), metavar="GLOBS", help="comma-separated: %(default)s")
    parser.add_argument("--tools", default=",".join(TOOLS), metavar="NAMES", help="comma-separated: %(default)s")
    parser.add_argument("--engines", default=",".join(ENGINES), metavar="NAMES", help="comma-separated: %(default)s")
    parser.add_argument("--modelopt-python", type=absolute, metavar="PATH", help="the interpreter of nvidia-modelopt")
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="turns of each competitor: %(default)s")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="threads on a CPU: %(default)s")
    parser.add_argument("--keep", type=absolute_folder, metavar="FOLDER", help="where models are kept and looked for")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="where to write the tables")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.engines.split(",")) - ENGINES.keys():
        parser.error(f"no engine is called {', '.join(sorted(unknown))}. Choose from: {', '.join(ENGINES)}")
    return asked


def absolute_folder(path: str) -> Path:
    return Path(path).absolute()


if __name__ == "__main__":
    raise SystemExit(main())
