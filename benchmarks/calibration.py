"""How fast calibration is, how much memory it takes, and whether its result depends on anything it should not.

Writes one Markdown file with a table per question. Ratios are within one run, competitors take turns, and times are
medians.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import onnxq
from bench import StepError, child, last_line, time_once
from cases import Arrays, Case, find_cases
from compare import absolute, processor, version
from onnxq.catalog.calibrators import CALIBRATORS
from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.formats.int8 import INT8
from onnxq.core.observer import Silent
from onnxq.core.tally import measured
from tools import Job, find_tools

SPEED = {"cifar10_resnet20": (1000, 2.0), "face_rfb320": (320, 2.0), "fastestdet": (128, 2.5)}
"""Samples and the largest ratio that we allow ourselves, by model."""

RIVALS = {"onnxruntime-entropy": 1 / 3, "modelopt-entropy": 1 / 4}
TENSORS, CHANNELS, LATE = 100, 1000, 1200
SPREAD, LARGEST_MB, LONGEST_S = 0.05, 1000, 1.0

Table = Iterator[str]


@dataclass(frozen=True)
class Options:
    repeat: int
    python: str
    modelopt: str


def speed(options: Options) -> Table:
    """Calibration against plain inference of the same batches."""
    yield "| model | samples | FP32 inference s | calibration s | ratio | allowed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for case in cases(SPEED):
        samples, allowed = SPEED[case.name]
        data = repeated(case, samples)
        model = onnx.load(case.model)
        size = case.batch if case.has_fixed_batch else 32
        session = ort.InferenceSession(case.model, providers=["CPUExecutionProvider"])

        def plain(data: Arrays = data, size: int = size, session: ort.InferenceSession = session) -> float:
            return timed(lambda: [session.run(None, feeds) for feeds in cut(data, size)])

        def calibration(data: Arrays = data, size: int = size, model: onnx.ModelProto = model) -> float:
            clock = Stages()
            onnxq.calibrate(model, data, execution=onnxq.Execution(batch_size=size, observer=clock))
            return clock.ended("calibrate")

        seconds = take_turns(options.repeat, plain, calibration)
        ratio = statistics.median(b / a for a, b in zip(*seconds, strict=True))
        first, second = (statistics.median(times) for times in seconds)
        yield f"| {case.name} | {samples} | {first:.2f} | {second:.2f} | {ratio:.2f} | {allowed} |"


def rivals(options: Options) -> Table:
    """Whole processes, 512 images on cifar10_resnet20."""
    yield "| tool | s | CPU s | peak MB | onnxq-entropy takes | allowed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    names = ("onnxq", "onnxq-entropy", *RIVALS)
    tools = find_tools(names, {"modelopt": options.modelopt}, options.python)
    for case in cases(["cifar10_resnet20"]):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.savez(folder / "calib.npz", **repeated(case, 512))
            job = Job(folder / case.model.name, folder / "out.onnx", folder / "calib.npz")
            runs: dict[str, list[dict[str, float]]] = {tool.name: [] for tool in tools}
            for _ in range(options.repeat):
                for tool in tools:
                    try:
                        runs[tool.name].append(time_once(case, tool, job, LATE))
                    except StepError as failure:
                        print(f"{tool.name}: {failure}", file=sys.stderr)
        ours = statistics.median(run["seconds"] for run in runs["onnxq-entropy"])
        for tool, figures in runs.items():
            if not figures:
                yield f"| {tool} | fails | | | | |"
                continue
            seconds, cpu = (statistics.median(run[key] for run in figures) for key in ("seconds", "cpu_seconds"))
            peak = max(run["peak_kb"] for run in figures) / 1000
            share = f"{ours / seconds:.2f} | {RIVALS[tool]:.2f}" if tool in RIVALS else " | "
            yield f"| {tool} | {seconds:.2f} | {cpu:.2f} | {peak:.0f} | {share} |"


def memory(options: Options) -> Table:
    """The peak of `onnxq calibrate`, the whole process."""
    yield "| model | data | samples | peak MB | allowed |"
    yield "| --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in cases(["cifar10_resnet20"]):
            few, many = (saved(folder, case, count) for count in (1000, 10_000))
            runs = [(peak(options, case, few), peak(options, case, many)) for _ in range(options.repeat)]
            less, more = (statistics.median(column) for column in zip(*runs, strict=True))
            yield f"| {case.name} | npz | 1,000 | {less:.0f} | |"
            yield f"| {case.name} | npz | 10,000 | {more:.0f} | {more / less - 1:+.1%}, at most {SPREAD:.0%} |"
        for case in cases(["imagenet_squeezenet"]):
            for what, path in (("npz", saved(folder, case, 1000)), ("JPEG", images(folder, case, 1000))):
                extra = ["--preprocess", "imagenet"] if what == "JPEG" else []
                yield f"| {case.name} | {what} | 1,000 | {peak(options, case, path, *extra):.0f} | {LARGEST_MB} |"


def calibrators(options: Options) -> Table:
    """Ranges of 100 measured tensors, and of 1,000 channels of a weight."""
    yield f"| calibrator | {TENSORS} tensors s | {CHANNELS} channels s | allowed |"
    yield "| --- | --- | --- | --- |"
    found = [
        tensor
        for case in cases(SPEED)
        for tensor in onnxq.calibrate(str(case.model), repeated(case, 32)).tensors.values()
    ]
    tensors = [found[number % len(found)] for number in range(TENSORS)]
    channels = [measured(row) for row in np.random.default_rng(0).normal(size=(CHANNELS, 576)).astype(np.float32)]
    for calibrator in CALIBRATORS:

        def over(some: Sequence[onnxq.core.statistics.TensorStatistics], chosen: object = calibrator) -> float:
            return timed(lambda: [chosen.choose(one, INT8) for one in some])  # type: ignore[attr-defined]

        of_tensors = statistics.median(over(tensors) for _ in range(options.repeat))
        searched = f"{over(channels):.2f}" if isinstance(calibrator, Mse) else ""
        yield f"| {calibrator.name} | {of_tensors:.2f} | {searched} | {LONGEST_S} |"


def equality(_: Options) -> Table:
    """Statistics files of the same samples in every other way."""
    yield "| model | how | sha256 | equal |"
    yield "| --- | --- | --- | --- |"
    for case in cases(SPEED):
        data = repeated(case, 48)
        order = np.random.default_rng(0).permutation(48)
        shuffled = {name: array[order] for name, array in data.items()}
        size = {"batch_size": None if case.has_fixed_batch else 7}
        ways: dict[str, Callable[[], onnxq.Statistics]] = {
            "one run": lambda data=data, case=case: onnxq.calibrate(str(case.model), data),
            "shuffled": lambda data=shuffled, case=case: onnxq.calibrate(str(case.model), data),
            "batches of 7": lambda data=data, case=case, size=size: onnxq.calibrate(
                str(case.model), data, execution=onnxq.Execution(**size)
            ),
            "several passes": lambda data=data, case=case: onnxq.calibrate(
                str(case.model), data, execution=onnxq.Execution(max_memory=4_000_000)
            ),
            "three parts, merged": lambda data=shuffled, case=case: merged(case, data),
        }
        digests = {how: digest(run()) for how, run in ways.items()}
        for how, found in digests.items():
            yield f"| {case.name} | {how} | {found} | {'yes' if found == digests['one run'] else 'NO'} |"


def merged(case: Case, data: Arrays) -> onnxq.Statistics:
    parts = [{name: array[start : start + 16] for name, array in data.items()} for start in (0, 16, 32)]
    first, *others = (onnxq.calibrate(str(case.model), part) for part in parts)
    for other in others:
        first = first.merge(other)
    return first


def digest(found: onnxq.Statistics) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stats.npz")
        onnxq.save_statistics(found, path)
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


class Stages(Silent):
    """When each stage began."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}

    def begin(self, stage: str) -> None:
        self._begun[stage] = time.perf_counter()

    def ended(self, stage: str) -> float:
        """Seconds since `stage` began; for the last one."""
        return time.perf_counter() - self._begun[stage]


def cases(names: Sequence[str] | dict[str, tuple[int, float]]) -> Iterator[Case]:
    return (case for case in find_cases() if case.name in names)


def repeated(case: Case, count: int) -> Arrays:
    """`count` samples; the real ones again and again where there are fewer."""
    arrays, _ = case.load("calib", count)
    return {name: np.resize(array, (count, *array.shape[1:])) for name, array in arrays.items()}


def cut(data: Arrays, size: int) -> Iterator[Arrays]:
    count = len(next(iter(data.values())))
    return ({name: array[start : start + size] for name, array in data.items()} for start in range(0, count, size))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def take_turns(repeat: int, *works: Callable[[], float]) -> list[list[float]]:
    """The seconds of each of `works`, once before the clock runs, then turn by turn."""
    for work in works:
        work()
    rounds = [[work() for work in works] for _ in range(repeat)]
    return [list(column) for column in zip(*rounds, strict=True)]


def process(folder: Path, command: Sequence[str]) -> dict[str, float]:
    """Seconds and peak memory of a command."""
    log = folder / "log"
    figures = json.loads(child("measure.py", str(log), str(LATE), *command))
    if figures["exit"]:
        raise StepError(last_line(log.read_text(errors="replace")))
    return figures


def peak(options: Options, case: Case, data: Path, *extra: str) -> float:
    """Megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["calibrate", str(case.model), f"{folder}/stats.npz", "--calib", str(data), "-q", *extra]
        return process(Path(folder), [options.python, "-m", "onnxq", *command])["peak_kb"] / 1000


def saved(folder: Path, case: Case, count: int) -> Path:
    path = folder / f"{case.name}-{count}.npz"
    np.savez(path, **repeated(case, count))
    return path


def images(folder: Path, case: Case, count: int) -> Path:
    """JPEG files of 256x256."""
    from PIL import Image  # noqa: PLC0415 - an extra

    (array,) = repeated(case, min(count, 20)).values()
    low, high = array.min(), array.max()
    (folder / "jpeg").mkdir()
    for number in range(count):
        pixels = ((array[number % len(array)] - low) / (high - low) * 255).astype(np.uint8).transpose(1, 2, 0)
        Image.fromarray(pixels).resize((256, 256)).save(folder / "jpeg" / f"{number:04}.jpg")
    return folder / "jpeg"


QUESTIONS = {question.__name__: question for question in (speed, rivals, memory, calibrators, equality)}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(QUESTIONS), help="comma-separated questions; default: %(default)s")
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    parser.add_argument("--modelopt-python", type=absolute, default=sys.executable, metavar="PATH")
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    options = parser.parse_args(arguments)
    if unknown := set(options.only.split(",")) - QUESTIONS.keys():
        parser.error(f"no question is called {', '.join(sorted(unknown))}. Choose from: {', '.join(QUESTIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    options = Options(given.repeat, sys.executable, given.modelopt_python)
    packages = ", ".join(f"{name} {version(sys.executable, name)}" for name in ("onnxq", "numpy", "onnxruntime"))
    lines = [
        "# Calibration measured\n",
        f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"{packages}, nvidia-modelopt {version(given.modelopt_python, 'nvidia-modelopt')}. Medians of {given.repeat}.",
    ]
    for name in given.only.split(","):
        lines.append(f"\n## {name.capitalize()}\n\n{QUESTIONS[name].__doc__}\n")
        for line in QUESTIONS[name](options):
            lines.append(line)
            print(line, flush=True)
            if given.out:
                given.out.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
