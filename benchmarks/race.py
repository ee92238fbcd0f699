"""Runs models on one engine, taking turns in one process, and prints seconds and kernels as JSON.

`race.py ENGINE FEED.npz --rounds N --threads N NAME=MODEL.onnx ...`; without FEED it prints the engine's name, or fails
if that is absent. One turn is a burst of inferences, whose first third is not counted: it fills caches again.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from google.protobuf.message import DecodeError

from calibration import take_turns
from engines import ENGINES, Engine, Feed, Opened

BURST_SECONDS, SHORTEST_BURST = 0.03, 6
_ORT = vars(ort.capi.onnxruntime_pybind11_state).values()
REFUSED = (
    RuntimeError,
    ValueError,
    DecodeError,
    *(one for one in _ORT if isinstance(one, type) and issubclass(one, Exception)),
)
"""What engines raise for a model they cannot take; onnxruntime's own types share no base."""


def race(engine: Engine, models: dict[str, Path], feed: Feed, rounds: int) -> dict[str, dict[str, Any]]:
    """Name -> its seconds in each round and its kernels, or why it does not run."""
    opened, result = {}, {}
    for name, model in models.items():
        try:
            opened[name] = engine.open(model, feed)
            opened[name].infer()
        except REFUSED as refusal:
            opened.pop(name, None)
            result[name] = {"refusal": " ".join(str(refusal).split())}
    seconds = take_turns(rounds, *(burst(model) for model in opened.values()))
    for (name, model), times in zip(opened.items(), seconds, strict=True):
        kernels = model.kernels
        result[name] = {"seconds": times, "int8": kernels.int8, "computes": kernels.computes, "left": kernels.left}
    return {name: result[name] for name in models}


def burst(model: Opened) -> Callable[[], float]:
    """A turn of `model`: the median seconds of the last two thirds of a burst."""
    count = max(SHORTEST_BURST, math.ceil(BURST_SECONDS / min(once(model) for _ in range(3))))

    def turn() -> float:
        return statistics.median([once(model) for _ in range(count)][count // 3 :])

    return turn


def once(model: Opened) -> float:
    start = time.perf_counter()
    model.infer()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("feed", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("models", nargs="*", metavar="NAME=MODEL")
    asked = parser.parse_intermixed_args()
    engine = ENGINES[asked.engine](asked.threads)
    if asked.feed is None:
        print(engine.title)
    else:
        with np.load(asked.feed) as archive:
            feed = {name: archive[name] for name in archive.files}
        named = {name: Path(path) for name, _, path in (text.partition("=") for text in asked.models)}
        print(json.dumps(race(engine, named, feed, asked.rounds)))
