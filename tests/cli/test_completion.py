"""`onnxq completion`: the scripts are such of their shells, and complete what can be typed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from onnxq.catalog.targets import TARGETS
from onnxq.cli.completion import FILES, SHELLS, VALUES, completed

FREE = frozenset(
    "batch_size compute_capability eval_samples include jobs labels max_drop max_memory min_sqnr num_samples "
    "percentile seed session_option shapes skip time_limit workspace".split()
)
"""Numbers, and what only the user knows."""

TYPED = """
source {script}
complete_now() {{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    $(complete -p onnxq | sed 's/.*-F //; s/ .*//') onnxq "${{@: -1}}" "${{@: -2:1}}"
    printf '%s\\n' "${{COMPREPLY[@]}}"
}}
complete_now {words}
"""


def script(desk, shell: str) -> Path:
    (desk / f"script.{shell}").write_text(desk.run("completion", shell).out)
    return desk / f"script.{shell}"


def in_shell(shell: str, *arguments: str) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    done = subprocess.run([shell, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_read_its_script(desk, shell):
    in_shell(shell, "-n", str(script(desk, shell)))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("onnxq sens", ["sensitivity"]),
        ("onnxq quantize --weight-c", ["--weight-calibrator"]),
        ("onnxq quantize --target ''", [target.name for target in TARGETS]),
        ("onnxq quantize --calibrator ent", ["entropy"]),
        ("onnxq sensitivity --metric k", ["kl"]),
        ("onnxq build --backend tensorrt-", ["tensorrt-rtx"]),
        ("onnxq quantize mod", ["model.onnx"]),
        ("onnxq calibrate model.onnx out.npz --calib cal", ["calib.npz"]),
        ("onnxq completion f", ["fish"]),
    ],
)
def test_bash_completes(desk, words, expected):
    code = TYPED.format(script=script(desk, "bash"), words=words)
    assert in_shell("bash", "-c", code).split() == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("onnxq sens", ["sensitivity"]),
        ("onnxq quantize --target ", [target.name for target in TARGETS]),
        ("onnxq quantize mod", ["model.onnx"]),
        ("onnxq sensitivity --calib cal", ["calib.npz"]),
    ],
)
def test_fish_completes(desk, line, expected):
    found = in_shell("fish", "-c", f"source {script(desk, 'fish')}; complete -C '{line}'")
    assert [row.partition("\t")[0] for row in found.splitlines()] == expected


def test_zsh_is_told_values_and_files(desk):
    text = script(desk, "zsh").read_text()
    assert text.startswith("#compdef onnxq\n")
    assert re.search(r"--target\[.*\]:NAME:\(tensorrt tensorrt-rtx onnxruntime\)", text)
    assert re.search(r"--recipe\[.*\]:FILE:_files", text)


def test_no_option_is_forgotten():
    for name, command in completed().commands.items():
        for action in command._actions:
            if action.nargs != 0 and action.dest not in ("io_types", "shell"):  # argparse knows their choices
                assert action.dest in FILES | VALUES.keys() | FREE, f"{name}: {action.dest}"


def test_a_shell_that_is_none(desk):
    outcome = desk.call(["completion", "tcsh"])
    assert outcome.code == 2
    assert "invalid choice: 'tcsh' (choose from" in outcome.err
