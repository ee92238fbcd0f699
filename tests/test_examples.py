"""Examples run as their first lines say, and come to what they promise."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTED = {
    "sklearn_pipeline": ("of 450 unseen images right", "in INT8: MatMul, MatMul1"),
    "onnxruntime_serving": ("50 of 50 images were read right",),
    "polygraphy_comparison": ("no logit of 500 images is 1.0 apart: True",),
    "detection_own_metric": ("loses most", "within the budget: 99."),
}


def test_every_example_is_told_of_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_it_says_what_it_shows_and_how_to_run_it(name: str) -> None:
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
    assert text and f"python examples/{name}.py" in text and "pip install" in text


@pytest.mark.parametrize("name", PRINTED)
def test_it_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for text in PRINTED[name]:
        assert text in done.stdout
