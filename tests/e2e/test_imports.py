"""onnxq needs nothing but its own dependencies: no engine, no deep-learning framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OPTIONAL = ("PIL", "jinja2", "matplotlib", "scipy", "tensorrt", "tensorrt_rtx")
EXTRAS = (*OPTIONAL, "tensorrt_libs", "tensorrt_bindings", "polygraphy", "onnx_graphsurgeon")
FRAMEWORKS = ("torch", "tensorflow", "jax", "onnxscript", "sklearn", "hypothesis", "pytest")

PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            asked.append(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

asked = []
sys.meta_path.insert(0, Absent())
for line in sys.argv[1:]:
    exec(line)
print("asked for:", *asked)
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def program(*lines: str) -> tuple[list[str], set[str]]:
    """Runs `lines` where extras and frameworks are absent: which of those were asked for, and what was loaded."""
    code = f"BLOCKED = {EXTRAS + FRAMEWORKS!r}\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    asked, loaded = (line.split(": ")[1].split() if ": " in line else [] for line in done.stdout.splitlines()[-2:])
    return asked, set(loaded)


def test_neither_the_library_nor_a_command_asks_for_an_extra_or_a_framework():
    asked, loaded = program(
        "import onnxq; [getattr(onnxq, name) for name in onnxq.__all__]",
        "from onnxq.cli.parser import Parser; [command.fill() for command in Parser().commands.values()]",
    )
    assert loaded >= {"onnxruntime", "onnx_ir", "rich"}
    assert [name for name in asked if name.partition(".")[0] in EXTRAS] == []
    assert loaded.isdisjoint(EXTRAS + FRAMEWORKS)


def test_a_whole_run_asks_for_no_extra_and_no_framework(tmp_path):
    command = [
        "quantize",
        "models/digits_resnet.onnx",
        str(tmp_path / "out.onnx"),
        "--calib",
        "models/digits_calib.npz",
    ]
    asked, loaded = program(f"from onnxq.cli import main; assert main({[*command, '-q']!r}) == 0")
    assert (tmp_path / "out.onnx").is_file()
    assert [name for name in asked if name.partition(".")[0] in EXTRAS] == []
    assert loaded.isdisjoint(EXTRAS + FRAMEWORKS)


def test_the_dependencies_are_the_packages_that_are_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {dependency.partition(">")[0].replace("-", "_") for dependency in project["dependencies"]}
    imported = {name for path in (ROOT / "src").rglob("*.py") for name in imports(path)} - sys.stdlib_module_names
    assert imported - {"onnxq", *OPTIONAL} == named - {"pyyaml"} | {"google", "yaml"}


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, at its top or later."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_engine_says_which_extra_it_needs():
    lines = (
        "import onnx; from onnxq.errors import OnnxqError; from onnxq.runtimes.tensorrt import compile_ahead_of_time",
        "try: compile_ahead_of_time(onnx.load('models/digits_resnet.onnx'))\n"
        "except OnnxqError as error: assert 'onnxq[rtx]' in str(error), error\n"
        "else: raise AssertionError('no error')",
    )
    asked, _ = program(*lines)
    assert set(asked) & set(EXTRAS)
