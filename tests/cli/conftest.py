"""What the tests of the command line share: a folder with a model and data, and a caller that watches it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from onnxq.cli import main

MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A folder with model.onnx, calib.npz and eval.npz, in which nothing else may appear unasked.

    Commands run in it, so that messages hold the short names of files.
    """

    folder: Path
    call: Callable[[Sequence[str]], Outcome]

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def files(self) -> dict[str, bytes]:
        """All files by name, with what they hold."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def run(self, *arguments: object) -> Outcome:
        """Runs a command that has to succeed."""
        outcome = self.call([str(argument) for argument in arguments])
        assert outcome.code == 0, outcome.err
        return outcome

    def quantize(self, *options: object) -> bytes:
        """Quantizes model.onnx with calib.npz: the model written."""
        self.run("quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", "-q", *options)
        return (self / "out.onnx").read_bytes()

    def save(self, name: str, **arrays: np.ndarray) -> Path:
        """Writes an npz file."""
        np.savez(self / name, **arrays)
        return self / name

    def refused(self, arguments: Sequence[object], *patterns: str, code: int = 2) -> None:
        """Runs a command that has to fail: each pattern is found in its message, and no file is touched."""
        before = self.files()
        outcome = self.call([str(argument) for argument in arguments])
        assert outcome.code == code, outcome.err
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        assert outcome.err.count("error:") == 1
        for pattern in patterns:
            assert re.search(pattern, outcome.err), outcome.err
        assert self.files() == before

    def refuses_to_quantize(self, *patterns: str, options: Sequence[object] = (), code: int = 2) -> None:
        """`refused` for `onnxq quantize model.onnx out.onnx --calib calib.npz` and `options`."""
        self.refused(["quantize", "model.onnx", "out.onnx", "--calib", "calib.npz", *options], *patterns, code=code)


@pytest.fixture(scope="session")
def calib() -> dict[str, np.ndarray]:
    with np.load(MODELS / "digits_calib.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    for name, copy in {"resnet.onnx": "model.onnx", "calib.npz": "calib.npz", "eval.npz": "eval.npz"}.items():
        shutil.copy(MODELS / f"digits_{name}", tmp_path / copy)

    def call(arguments: Sequence[str]) -> Outcome:
        try:
            code = main(arguments)
        except SystemExit as exit_:  # argparse leaves this way
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return Desk(tmp_path, call)


@pytest.fixture
def start(desk: Desk) -> Callable[..., subprocess.Popen[str]]:
    """Starts `python -m onnxq`, or other Python code, in the folder of `desk`."""

    def start(*arguments: object, code: Sequence[str] = ("-m", "onnxq")) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *code, *map(str, arguments)],
            cwd=desk.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
