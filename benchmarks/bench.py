"""One model, every tool: quantize in a timed child process, evaluate in others, and fill the rows of the table."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cases import EVAL_SAMPLES, Case
from figures import classes, percent_equal, pooled_sqnr, sqnr_by_output
from table import Row
from tools import Job, Tool

HERE = Path(__file__).resolve().parent
UNQUANTIZED = "FP32"


class StepError(Exception):
    """A child process failed; the text is the last line it wrote."""


@dataclass(frozen=True)
class Settings:
    repeat: int
    timeout: float
    keep: Path | None


@dataclass(frozen=True)
class Bench:
    """A case with its data written to `folder`, and the FP32 outputs to judge others by."""

    case: Case
    folder: Path
    labels: np.ndarray | None
    reference: dict[str, np.ndarray]


def compare(case: Case, tools: Sequence[Tool], settings: Settings) -> Iterator[Row]:
    """A row for the FP32 model, then one for each tool."""
    with tempfile.TemporaryDirectory() as name:
        try:
            bench = prepare(case, Path(name))
        except StepError as failure:
            yield Row(case.name, UNQUANTIZED, note=f"fails: {failure}")
            return
        counts = f"{case.calib_samples} calibrate, {len(next(iter(bench.reference.values())))} evaluate"
        row = judge(bench, case.model, Row(case.name, UNQUANTIZED, note=counts))
        yield replace(row, sqnr_db=None, worst_db=None, agreement=None)
        for tool in tools:
            with tempfile.TemporaryDirectory(dir=name) as folder:
                yield quantize(bench, tool, Path(folder), settings)


def prepare(case: Case, folder: Path) -> Bench:
    """Writes calibration and evaluation inputs and runs the FP32 model over the latter."""
    calib, _ = case.load("calib", case.calib_samples)
    inputs, labels = case.load("eval", EVAL_SAMPLES)
    np.savez(folder / "calib.npz", **calib)
    np.savez(folder / "eval.npz", **inputs)
    return Bench(case, folder, labels, outputs_of(case, case.model, folder))


def quantize(bench: Bench, tool: Tool, folder: Path, settings: Settings) -> Row:
    """Times `tool` on a copy of the model, then judges what it wrote; a failure becomes the row's note."""
    case, row = bench.case, Row(bench.case.name, tool.name)
    job = Job(
        source=folder / case.model.name,
        target=folder / "quantized.onnx",
        calib=bench.folder / "calib.npz",
        batch_size=case.batch if case.has_fixed_batch else None,
        whole_feeds=case.whole_feeds,
    )
    try:
        runs = [time_once(case, tool, job, settings.timeout) for _ in range(settings.repeat)]
    except StepError as failure:
        return replace(row, note=f"fails: {failure}")
    row = replace(
        row,
        seconds=statistics.median(run["seconds"] for run in runs),
        cpu_seconds=statistics.median(run["cpu_seconds"] for run in runs),
        peak_mb=max(run["peak_kb"] for run in runs) / 1000,
        note=tool.note(job),
    )
    if settings.keep:
        settings.keep.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.target, settings.keep / f"{case.name}.{tool.name}.onnx")
    return judge(bench, job.target, row)


def time_once(case: Case, tool: Tool, job: Job, timeout: float) -> dict[str, float]:
    """What `measure.py` tells of one run of `tool`, which starts from a fresh copy of the model."""
    shutil.copyfile(case.model, job.source)
    job.target.unlink(missing_ok=True)
    log = job.target.with_suffix(".log")
    figures = json.loads(child("measure.py", str(log), str(timeout), *tool.command(job)))
    if figures["late"]:
        raise StepError(f"stopped after {timeout:.0f} s")
    if figures["exit"] or not job.target.exists():
        raise StepError(last_line(log.read_text(errors="replace")))
    return figures


def judge(bench: Bench, model: Path, row: Row) -> Row:
    """Adds to `row` what `model` computes and what TensorRT for RTX makes of it."""
    notes = [row.note]
    try:
        row = with_fidelity(bench, outputs_of(bench.case, model, bench.folder), row)
    except StepError as failure:
        notes.append(f"onnxruntime: {failure}")
    try:
        verdict = json.loads(last_line(child("verdict.py", str(model))))
        notes.append(verdict.get("refusal", ""))
        row = replace(
            row,
            accepted=verdict["accepted"],
            int8=verdict.get("int8"),
            computes=verdict.get("computes"),
            moved_mb=verdict["moved_bytes"] / 1e6 if "moved_bytes" in verdict else None,
        )
    except StepError as failure:
        notes.append(f"TensorRT for RTX: {failure}")
    return replace(row, note="; ".join(filter(None, notes)).replace(f"{model.parent}/", ""))


def with_fidelity(bench: Bench, outputs: dict[str, np.ndarray], row: Row) -> Row:
    """Adds to `row` the figures of `outputs` against the FP32 model's.

    Raises:
        StepError: the outputs are no longer of the FP32 model's number and shapes.
    """
    if shapes(outputs) != shapes(bench.reference):
        raise StepError(f"outputs of shapes {shapes(outputs)}, in FP32 {shapes(bench.reference)}")
    predicted, expected = classes(outputs), classes(bench.reference)
    classifies, labels = bench.case.classifies, bench.labels
    return replace(
        row,
        sqnr_db=pooled_sqnr(bench.reference, outputs),
        worst_db=min(sqnr_by_output(bench.reference, outputs).values()) if len(outputs) > 1 else None,
        top1=percent_equal(predicted, labels) if classifies and labels is not None else None,
        agreement=percent_equal(predicted, expected) if classifies else None,
    )


def shapes(outputs: dict[str, np.ndarray]) -> list[tuple[int, ...]]:
    return [array.shape for array in outputs.values()]


def outputs_of(case: Case, model: Path, folder: Path) -> dict[str, np.ndarray]:
    """Output name -> array over all evaluation samples."""
    feeds = ["--feeds"] if case.batch is None else ["--batch-size", str(case.batch)]
    child("evaluate.py", str(model), str(folder / "eval.npz"), str(folder / "outputs.npz"), *feeds)
    with np.load(folder / "outputs.npz") as archive:
        return {name: archive[name] for name in archive.files}


def child(script: str, *arguments: str) -> str:
    """What a script of this folder prints, run in a process of its own."""
    done = subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepError(last_line(done.stderr))
    return done.stdout


def last_line(text: str) -> str:
    """The last line of a traceback, its exception without the module: "ValueError: why"."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
    return re.sub(r"^(?:\w+\.)+(?=\w+: )", "", last)
