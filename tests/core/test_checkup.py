"""What works, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onnxq.core.checkup import Checkup, Engine, Package

NEEDED = Package("onnx", "1.18", version="1.20.1")
EXTRA = Package("pillow", "10", extra="images", purpose="images as samples")
ENGINE = Engine("ONNX Runtime", True, "computes")
CHECKUP = Checkup("0.1.0", "3.11.7", "Linux x86_64", 2, 1 << 30, (), (NEEDED, EXTRA), (ENGINE,))


@pytest.mark.parametrize(
    ("version", "lowest", "is_old"),
    [
        ("1.18", "1.18", False),
        ("1.18.0", "1.18", False),
        ("1.9.9", "1.18", True),
        ("1.18", "1.18.1", True),
        ("2.0rc1", "1.18", False),
        ("2", "2.0.0", False),
        ("", "1.18", False),
    ],
)
def test_versions_are_compared_as_numbers(version, lowest, is_old):
    assert Package("onnx", lowest, version=version).is_old is is_old


@pytest.mark.parametrize(
    ("package", "works"),
    [
        (NEEDED, True),
        (replace(NEEDED, version=""), False),
        (replace(NEEDED, version="1.17"), False),
        (replace(NEEDED, fault="ImportError: libonnx.so"), False),
        (EXTRA, True),
        (replace(EXTRA, version="9"), False),
        (replace(EXTRA, version="11", fault="ImportError"), False),
    ],
)
def test_an_extra_may_be_missing_but_nothing_may_be_broken(package, works):
    assert package.works is works
    assert replace(CHECKUP, packages=(package,)).works is works


@pytest.mark.parametrize(("answers", "works"), [(True, True), (None, True), (False, False)])
def test_an_engine_that_cannot_be_asked_is_no_fault(answers, works):
    assert replace(CHECKUP, engines=(replace(ENGINE, answers=answers),)).works is works


def test_what_installs_a_package():
    assert NEEDED.install == "pip install 'onnx>=1.18'"
    assert EXTRA.install == "pip install 'onnxq[images]'"


def test_plain_data():
    data = CHECKUP.to_json()
    assert (data["works"], data["gpus"]) == (True, ())
    assert data["packages"][0]["version"] == "1.20.1"
