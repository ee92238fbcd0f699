"""Packages are looked at in processes of their own, whatever becomes of these."""

from __future__ import annotations

import os
import signal
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import tomllib

from onnxq.core.checkup import Engine, Package
from onnxq.runtimes import checkup

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
DEVELOPERS = {"dev", "docs"}
FAKE = Package("fakery", "1.0", extra="fake")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A package 'fakery' of which the code is given."""

    def made(code: str) -> Package:
        (tmp_path / "fakery.py").write_text(code)
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        return checkup._looked_at(FAKE)

    return made


def test_every_package_that_is_needed_and_every_extra_is_listed():
    listed = {(f"{package.name}>={package.lowest}", package.extra) for package in checkup._listed()}
    extras = {name: rows for name, rows in PROJECT["optional-dependencies"].items() if name not in DEVELOPERS}
    assert listed == {(row, extra) for extra, rows in (("", PROJECT["dependencies"]), *extras.items()) for row in rows}
    assert extras.keys() == checkup.PURPOSES.keys()


def test_no_version_is_said_to_be_tested_that_is_said_to_be_too_old():
    listed = {package.name: package for package in checkup._listed()}
    assert set(checkup.TESTED) <= set(listed)
    assert not any(Package(p.name, p.lowest, version=p.tested).is_old for p in listed.values())


def test_a_package_that_can_be_imported(fake):
    found = fake("__version__ = '1.5'")
    assert (found.version, found.fault, found.works) == ("1.5", "", True)


def test_a_package_that_tells_no_version(fake):
    assert fake("").version == "unknown"


def test_a_package_that_raises(fake):
    found = fake("raise OSError('libfake.so: cannot open')")
    assert (found.fault, found.works) == ("OSError: libfake.so: cannot open", False)


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_package_that_crashes(fake):
    found = fake(f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    assert found.fault == "the process was ended by SIGSEGV"


def test_a_package_that_never_comes_back(fake, monkeypatch):
    monkeypatch.setattr(checkup, "_SECONDS", 1)
    assert fake("import time; time.sleep(60)").fault == "no answer within 1 seconds"


def test_a_package_that_is_missing():
    assert checkup._looked_at(FAKE) == FAKE


def test_a_package_by_another_distribution(monkeypatch):
    """Such as onnxruntime-gpu, which has the module onnxruntime."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checkup.metadata, "version", version)
    assert checkup._looked_at(Package("numpy", "1.26")).version == np.__version__


@pytest.mark.parametrize(
    ("package", "obstacle", "expected"),
    [
        (None, "", (None, "not installed")),
        (FAKE, "", (None, "not installed: pip install 'onnxq[fake]'")),
        (Package("f", "1", version="1"), "it takes a GPU", (None, "it takes a GPU")),
        (Package("f", "1", version="1", fault="OSError"), "", (False, "OSError")),
    ],
)
def test_an_engine_that_is_not_asked(package, obstacle, expected):
    assert checkup._asked("An engine", package, obstacle) == Engine("An engine", *expected)


def test_an_engine_that_answers():
    engine = checkup._asked("ONNX Runtime", Package("onnxruntime", "1.20", version="1.20"), "")
    assert engine.answers is True
    assert engine.text.startswith("computes; providers: ")


def test_what_an_engine_refuses_is_told_in_its_words():
    engine = checkup._asked("TensorRT", Package("tensorrt", "10", version="10"), "")
    assert (engine.answers, engine.text) == (False, "Compiling needs TensorRT: pip install 'onnxq[tensorrt]'")


def test_run_from_a_folder(monkeypatch):
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checkup.metadata, "requires", requires)
    assert list(checkup._listed()) == []
