"""README's blocks run as they stand: shell lines in bash, Python as a script, in one folder, in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import HAS

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
INSTALLS = ("make ", "pip install", "git clone", "cd onnxq", "source ")  # the test environment is what they lead to


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "models", tmp_path / "models")
    return tmp_path


def lacks_compiler(line: str) -> bool:
    """Whether it takes TensorRT for RTX, which is not there for all systems."""
    return not HAS["tensorrt"] and (line.startswith(("onnxq build", "onnxq inspect")) or "--check" in line)


def test_every_block_runs(folder: Path) -> None:
    assert {language for language, _ in BLOCKS} == {"bash", "python"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, text in BLOCKS:
        if language == "bash":
            lines = [line for line in text.splitlines() if not line.startswith(INSTALLS) and not lacks_compiler(line)]
            command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
        else:
            command = [sys.executable, "-W", "error", "-c", text]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
