"""What is uploaded: a wheel with the package and nothing else, which works where it is installed, and all sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

import onnxq

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PARTS = ("src", "tests", "models", "benchmarks", "docs", "examples")
FILES = (
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "CHANGELOG.md",
    "ARCHITECTURE.md",
    "LICENSE",
    "Makefile",
    "mkdocs.yml",
)
NO_SOURCES = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.int8.onnx")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both distributions, built from a copy: nothing is left in the working tree."""
    copy = tmp_path_factory.mktemp("onnxq")
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    for name in PARTS:
        shutil.copytree(ROOT / name, copy / name, ignore=NO_SOURCES)
    called(sys.executable, "-m", "build", str(copy))
    return copy / "dist"


def called(*command: str, folder: Path = ROOT) -> str:
    """Runs a command that has to succeed, without what the tests' own environment adds to Python."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names_under(*folders: str) -> set[str]:
    """The files that belong to the project, by their path from its root."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if not set(path.parts) & {"__pycache__", "onnxq.egg-info"}}


def without_int8(names: Iterable[str]) -> set[str]:
    """Without what `make demo` writes."""
    return {name for name in names if not name.endswith(".int8.onnx")}


def test_the_wheel_has_the_package_and_nothing_else(dist):
    with zipfile.ZipFile(dist / f"onnxq-{onnxq.__version__}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
    info = f"onnxq-{onnxq.__version__}.dist-info/"
    assert {f"src/{name}" for name in names if not name.startswith(info)} == names_under("src")
    assert {"onnxq/py.typed", "onnxq/__init__.pyi", f"{info}licenses/LICENSE"} <= names


def test_the_source_distribution_has_what_make_demo_and_make_test_take(dist):
    top = f"onnxq-{onnxq.__version__}/"
    with tarfile.open(dist / f"onnxq-{onnxq.__version__}.tar.gz") as archive:
        names = {member.name.removeprefix(top) for member in archive if member.isfile()}
    made = {name for name in names if "egg-info" in name} | {"PKG-INFO", "setup.cfg"}
    assert names - made == without_int8(names_under(*PARTS)) | set(FILES)


def test_the_wheel_quantizes_where_nothing_else_is_installed(dist, tmp_path):
    called(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = dist.glob("*.whl")
    called(str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel))
    shutil.copytree(ROOT / "models", tmp_path / "models")
    demo = ("models/digits_resnet.onnx", "out.onnx", "--calib", "models/digits_calib.npz")
    said = called(str(programs / "onnxq"), "quantize", *demo, "--eval", "models/digits_eval.npz", folder=tmp_path)
    assert "Fidelity to FP32, on 505 evaluation samples" in said
    assert (tmp_path / "out.onnx").is_file()
    assert called(str(programs / "onnxq"), "--version", folder=tmp_path) == f"onnxq {onnxq.__version__}\n"
    assert called(str(programs / "onnxq"), "doctor", folder=tmp_path).startswith(f"onnxq {onnxq.__version__} works.")
