"""What `onnxq --help` tells, and what is imported for it."""

from __future__ import annotations

import gc
import os
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import onnxq
from onnxq.cli.commands import GROUPS
from onnxq.cli.parser import Parser

COMMANDS = {command.name: command for group in GROUPS for command in group.commands}
MODULES = Path(onnxq.__file__).parent / "cli"
SLOW = ("numpy", "onnx", "onnx_ir", "onnxruntime", "rich", "yaml", "shtab", "sympy")


def loaded(*arguments: str) -> set[str]:
    """The modules that a process of Python has imported when `onnxq` with these arguments is done."""
    code = (
        "import sys\nfrom onnxq.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('loaded:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded: ")[2].split())


def test_help_has_groups_in_which_each_command_has_a_line_and_an_example(desk):
    out = desk.run("--help").out
    assert out.startswith("usage: onnxq [-h] [--version] COMMAND ...\n\nINT8 quantization of ONNX models")
    for group in GROUPS:
        assert f"\n\n{group.title}:\n" in out
    for command in COMMANDS.values():
        assert out.count(f"\n  {command.name:{max(map(len, COMMANDS)) + 2}}{command.text}\n") == 1
        assert out.count(f" $ {command.example}\n") == 1


def test_help_fits_into_wide_terminals(desk):
    assert max(map(len, desk.run("--help").out.splitlines())) <= 120


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_ends_with_its_example(desk, name):
    command = COMMANDS[name]
    assert desk.run(name, "--help").out.endswith(f"example: {command.example}{command.then}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_call_that_the_parser_takes(name):
    words = shlex.split(COMMANDS[name].example.partition(" > ")[0])
    options = Parser().parse_args(words[1:])
    assert words[:2] == ["onnxq", name]
    assert options.run.__module__ == f"onnxq.cli.{name}"


def test_every_module_with_options_is_a_command():
    found = {path.stem for path in MODULES.glob("*.py") if "\ndef add_options(" in path.read_text()}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []], ids=" ".join)
def test_what_needs_no_command_imports_no_command(arguments):
    modules = loaded(*arguments)
    assert modules.isdisjoint(SLOW)
    assert modules.isdisjoint(f"onnxq.cli.{name}" for name in COMMANDS)


def test_quantize_imports_no_other_command_and_no_search():
    modules = loaded("quantize", "--help")
    assert "onnxq.cli.quantize" in modules
    assert modules.isdisjoint(f"onnxq.cli.{name}" for name in COMMANDS.keys() - {"quantize"})
    assert modules.isdisjoint(("onnxq.sensitivity", "onnxq.runtimes.tensorrt", "onnxq.reports.chart"))


@pytest.mark.parametrize("change", [gc.enable, gc.disable], ids=["on", "off"])
def test_garbage_is_collected_afterwards_if_it_was_before(change):
    change()
    before = gc.isenabled()
    try:
        Parser().commands["quantize"].fill()
        assert gc.isenabled() is before
    finally:
        gc.enable()


def test_doctor_depends_on_no_package_that_may_be_broken():
    assert loaded("doctor", "--help").isdisjoint(SLOW)


def test_the_version_is_that_of_the_package(desk):
    assert desk.run("--version").out == f"onnxq {onnxq.__version__}\n"
    assert metadata.version("onnxq") == onnxq.__version__


def test_a_command_that_is_none(desk):
    outcome = desk.call(["quantise"])
    assert outcome.code == 2
    assert "invalid choice: 'quantise'" in outcome.err


def test_debug_shows_the_traceback_of_an_error(desk):
    outcome = desk.call(["plan", "nope.onnx", "--debug"])
    assert outcome.err.startswith("Traceback (most recent call last):")
    assert outcome.err.endswith("error: There is no file 'nope.onnx'.\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes end in another way")
@pytest.mark.parametrize("arguments", [("completion", "bash"), ("recipe", "--init", "model.onnx")], ids=" ".join)
def test_a_pipe_that_ends_early_is_no_fault(desk, start, arguments):
    process = start(*arguments)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 141)
    process.stderr.close()
