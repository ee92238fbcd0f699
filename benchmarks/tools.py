"""The quantizers to compare, each a command line: `tool.command(job)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxq.pipeline import load_recipe
from runners.task import recipe_of

RUNNERS = Path(__file__).resolve().parent / "runners"
DEFAULT = ("onnxq", "modelopt-max", "modelopt-entropy", "onnxruntime-minmax")


@dataclass(frozen=True)
class Job:
    """A copy of the model to read, the path to write, calibration inputs, and what the model asks of batches."""

    source: Path
    target: Path
    calib: Path
    batch_size: int | None = None
    whole_feeds: bool = False

    @property
    def recipe(self) -> Path:
        """Where onnxq writes what it did."""
        return self.target.with_suffix(".yaml")

    @property
    def arguments(self) -> list[str]:
        batch = ["--batch-size", str(self.batch_size)] if self.batch_size else []
        feeds = ["--feeds"] if self.whole_feeds else []
        return [str(self.source), str(self.target), str(self.calib), *batch, *feeds]


@dataclass(frozen=True)
class Tool:
    """One way of quantizing; `package` is what its Python must have, `method` follows the name's first hyphen."""

    name: str
    package: str
    python: str

    @property
    def method(self) -> str:
        return self.name.partition("-")[2]

    def command(self, job: Job) -> list[str]:
        script = RUNNERS / f"with_{self.name.partition('-')[0]}.py"
        return [self.python, str(script), *job.arguments, "--method", self.method]

    def note(self, job: Job) -> str:  # noqa: ARG002 - others say nothing
        """What it says of what it did."""
        return ""


@dataclass(frozen=True)
class Onnxq(Tool):
    """onnxq's own command line; the method is a target, a calibrator or both: "ort", "mse", "ort-percentile-99.9"."""

    def command(self, job: Job) -> list[str]:
        if job.whole_feeds:
            return super().command(job)
        batch = ["--batch-size", str(job.batch_size)] if job.batch_size else []
        chosen = [text for option, value in recipe_of(self.method).items() for text in (f"--{option}", value)]
        files = [str(job.source), str(job.target), "--calib", str(job.calib)]
        talk = ["-q", "--save-recipe", str(job.recipe)]
        return [self.python, "-m", "onnxq", "quantize", *files, *talk, *batch, *chosen]

    def note(self, job: Job) -> str:
        """The fixes that it took."""
        return ", ".join(load_recipe(job.recipe).fixes) if job.recipe.exists() else ""


PACKAGES = {
    "onnxq": "onnxq",
    "modelopt": "nvidia-modelopt",
    "onnxruntime": "onnxruntime",
    "quark": "amd-quark",
    "aimet": "aimet-onnx",
}


def find_tools(names: Iterable[str], pythons: Mapping[str, str], python: str) -> tuple[Tool, ...]:
    """Tools called `family` or `family-method`; `pythons` gives a family another interpreter than `python`.

    Raises:
        ValueError: a name is of no known family.
    """
    tools = []
    for name in names:
        family = name.partition("-")[0]
        if family not in PACKAGES:
            raise ValueError(f"No tool is called '{name}'. Choose from: {', '.join(PACKAGES)}, each with -METHOD")
        kind = Onnxq if family == "onnxq" else Tool
        tools.append(kind(name, PACKAGES[family], pythons.get(family) or python))
    return tuple(tools)
