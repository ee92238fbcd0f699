"""Runs onnxq and its rivals on the same models and data, and writes one Markdown table of figures.

python benchmarks/compare.py [--models GLOB] [--tools NAMES] [--modelopt-python PATH] [--out FILE.md] ...

Every tool gets a copy of the model in a fresh folder, since some rewrite their input; a tool's time and memory are
those of its whole process; nothing is evaluated in the process that is timed.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import Settings, compare
from cases import find_cases
from table import Row, render
from tools import DEFAULT, Tool, find_tools


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parse(arguments)
    try:
        pythons = {"modelopt": asked.modelopt_python, "quark": asked.quark_python, "aimet": asked.aimet_python}
        tools = find_tools(asked.tools.split(","), pythons, sys.executable)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    settings = Settings(asked.repeat, asked.timeout, asked.keep)
    rows: list[Row] = []
    print(header(tools, settings), flush=True)
    for case in find_cases(asked.models):
        for row in compare(case, tools, settings):
            print(render([row]).splitlines()[-1], flush=True)
            rows.append(row)
            if asked.out:
                asked.out.write_text(f"{header(tools, settings)}\n{render(rows)}\n")
    return 0 if rows else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="*", metavar="GLOB", help="names of models to compare on")
    parser.add_argument("--tools", default=",".join(DEFAULT), help=f"comma-separated (default: {','.join(DEFAULT)})")
    parser.add_argument("--modelopt-python", type=absolute, metavar="PATH", help="the interpreter of nvidia-modelopt")
    parser.add_argument("--quark-python", type=absolute, metavar="PATH", help="the interpreter of amd-quark")
    parser.add_argument("--aimet-python", type=absolute, metavar="PATH", help="the interpreter of aimet-onnx")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="where to write the table")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep models as MODEL.TOOL.onnx")
    parser.add_argument("--repeat", type=int, default=1, help="runs per tool, of which the median time is told")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds until a tool is stopped")
    return parser.parse_args(arguments)


def absolute(path: str) -> str:
    """`path` from the root, symbolic links kept: a virtual environment's interpreter is one."""
    return str(Path(path).absolute())


def header(tools: Sequence[Tool], settings: Settings) -> str:
    """What was run, where and when, and how to read the columns."""
    versions = ", ".join(dict.fromkeys(f"{tool.package} {version(tool.python, tool.package)}" for tool in tools))
    judges = ", ".join(f"{name} {version(sys.executable, name)}" for name in ("onnxruntime", "tensorrt-rtx"))
    return f"""# Quantizers compared

{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}.
Tools: {versions}. Judges: {judges}. Times: median of {settings.repeat}.
Load when it began: {os.getloadavg()[0]:.1f}.

- time, CPU, peak: the tool's whole process, imports included; CPU is the sum over cores
- SQNR: outputs against FP32 on evaluation data, all outputs as one signal; "exact": nothing changed
- top-1: against labels; as FP32: the same class as the FP32 model
- builds: TensorRT for RTX compiles it for compute capability 8.9; INT8 computes: Conv, Gemm and MatMul nodes whose
  kernel reads INT8, of all such nodes; moved: activations between kernels at batch 8 (an upper bound)
"""


def version(python: str, package: str) -> str:
    code = f"from importlib.metadata import version; print(version('{package}'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "(not installed)"


def processor() -> str:
    """The processor's name, from Linux' list where there is one."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    raise SystemExit(main())
