"""The models to compare on, each with real calibration and evaluation data."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Load = Callable[[str, int | None], tuple[Arrays, np.ndarray | None]]

REPOSITORY = Path(__file__).resolve().parents[1]
EVAL_SAMPLES = 1000


@dataclass(frozen=True)
class Case:
    """A model and its data: `load(split, limit)` gives inputs by name and labels, for "calib" and "eval".

    `batch` is None where every row of an input is what the model takes in one run, else a batch size it accepts.
    `has_fixed_batch` says that it accepts no other.
    """

    name: str
    model: Path
    calib_samples: int
    load: Load
    batch: int | None = 50
    has_fixed_batch: bool = False
    classifies: bool = False

    @property
    def whole_feeds(self) -> bool:
        return self.batch is None


@dataclass(frozen=True)
class ZooModel:
    """A row of the zoo's table: how many samples calibrate it, and what its inputs and outputs allow."""

    name: str
    calib_samples: int
    fixed_batch: bool = False
    classifies: bool = False


ZOO = (
    ZooModel("cifar10_resnet20", 512, classifies=True),
    ZooModel("cifar10_resnet56", 256, classifies=True),
    ZooModel("cifar10_resnet8_mlperf", 512, classifies=True),
    ZooModel("cifar10_repvgg", 512, classifies=True),
    ZooModel("cifar10_mobilenetv2", 512, classifies=True),
    ZooModel("cifar10_cct", 512, classifies=True),
    ZooModel("imagenet_squeezenet", 100, classifies=True),
    ZooModel("vww_mobilenet_mlperf", 100, classifies=True),
    ZooModel("face_rfb320", 32, fixed_batch=True),
    ZooModel("fastestdet", 32, fixed_batch=True),
    ZooModel("yunet_n_320", 32, fixed_batch=True),
    ZooModel("ad_autoencoder_mlperf", 64),
    ZooModel("silero_vad_16k", 128),
)

NO_SAMPLE_AXIS = frozenset({"silero_vad_16k"})
"""Models whose inputs share no sample axis: their data are whole feeds."""


def find_cases(pattern: str = "*") -> Iterator[Case]:
    """The repository's own model and, where ONNXQ_ZOO names its folder, those of the zoo."""
    cases = [_digits(REPOSITORY / "models")]
    if zoo := os.environ.get("ONNXQ_ZOO"):
        preprocess = _load_module(Path(zoo) / "preprocess.py")
        cases += [_zoo_case(Path(zoo), preprocess, model) for model in ZOO]
    return (case for case in cases if fnmatch(case.name, pattern) and case.model.exists())


def _digits(folder: Path) -> Case:
    def load(split: str, limit: int | None) -> tuple[Arrays, np.ndarray | None]:
        with np.load(folder / f"digits_{split}.npz") as archive:
            arrays = {name: archive[name][:limit] for name in archive.files}
        labels = arrays.pop("label", None)
        return arrays, labels

    return Case("digits_resnet", folder / "digits_resnet.onnx", 192, load, classifies=True)


def _zoo_case(zoo: Path, preprocess: Any, model: ZooModel) -> Case:
    def load(split: str, limit: int | None) -> tuple[Arrays, np.ndarray | None]:
        if model.name not in NO_SAMPLE_AXIS:
            return preprocess.load(model.name, split, limit)
        feeds = list(preprocess.feeds(model.name, split, limit))
        return {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}, None

    return Case(
        name=model.name,
        model=zoo / "models" / f"{model.name}.onnx",
        calib_samples=model.calib_samples,
        load=load,
        batch=None if model.name in NO_SAMPLE_AXIS else 1 if model.fixed_batch else 50,
        has_fixed_batch=model.fixed_batch,
        classifies=model.classifies,
    )


def _load_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
