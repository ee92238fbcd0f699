"""What every runner is asked to do: `RUNNER IN.onnx OUT.onnx CALIB.npz [--method M] [--batch-size N] [--feeds]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Feed = dict[str, np.ndarray]
TARGETS = {"ort": "onnxruntime"}
"""Short names of onnxq's targets, other than the default one."""


FIXES = "fixes-"


@dataclass(frozen=True)
class Task:
    """Quantize `source` with the inputs in `calib` and write `target`.

    `batch_size` is None where the tool may choose. With `whole_feeds` each row of an array in `calib` is what the
    model takes in one run; else it is one sample, to be stacked in batches along the first axis.
    """

    source: Path
    target: Path
    calib: Path
    method: str
    batch_size: int | None
    whole_feeds: bool

    @property
    def recipe(self) -> Path:
        """Where onnxq writes what it did."""
        return self.target.with_suffix(".yaml")

    def arrays(self) -> Feed:
        with np.load(self.calib) as archive:
            return {name: archive[name] for name in archive.files}

    def feeds(self, default_batch: int = 1) -> Iterator[Feed]:
        return read_feeds(self.arrays(), None if self.whole_feeds else self.batch_size or default_batch)


def read_feeds(arrays: Feed, batch: int | None) -> Iterator[Feed]:
    """`batch` samples at a time along the first axis; None: every row is a whole feed."""
    rows = len(next(iter(arrays.values())))
    for start in range(0, rows, batch or 1):
        yield {
            name: array[start, ...] if batch is None else array[start : start + batch] for name, array in arrays.items()
        }


def recipe_of(method: str) -> dict[str, str]:
    """What a method of onnxq chooses: "ort-percentile-99.9" is a target, a calibrator and a percentile.

    "fixes-first-layer" is a fix, "fixes-auto" is all that help.
    """
    if method.startswith(FIXES):
        return {"fixes": method.removeprefix(FIXES)}
    first, _, rest = method.partition("-")
    target = TARGETS.get(first)
    calibrator, _, percentile = (rest if target else method).partition("-")
    chosen = {"target": target, "calibrator": calibrator, "percentile": percentile}
    return {option: value for option, value in chosen.items() if value}


def task_from_arguments() -> Task:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("calib", type=Path)
    parser.add_argument("--method", default="")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--feeds", action="store_true", dest="whole_feeds")
    return Task(**vars(parser.parse_args()))
