"""What fixes win back on every model, each alone and chosen by `auto`, beside what rivals reach: one Markdown file.

python benchmarks/fidelity.py [--models GLOB] [--modelopt-python PATH] [--out FILE.md] [--rows FILE.jsonl] ...

Rows are kept in a file of JSON lines, one for each model and tool; those that are there are not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import UNQUANTIZED, Settings, compare
from cases import Case, find_cases
from compare import absolute, header
from onnxq.catalog.fixes import FIXES
from table import Row, render
from tools import Tool, find_tools

PLAIN, AUTO = "onnxq", "onnxq-fixes-auto"
ALONE = tuple(f"onnxq-fixes-{fix.name}" for fix in FIXES)
MODELOPT = ("modelopt-max", "modelopt-entropy")
RIVALS = ("quark-adaround", "aimet-adaround")
BAR = 3.0
"""Decibels that `auto` should gain on average."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parse(arguments)
    pythons = {family: getattr(asked, f"{family}_python") for family in ("modelopt", "quark", "aimet")}
    try:
        tools = find_tools(asked.tools.split(","), pythons, sys.executable)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    settings, rows = Settings(1, asked.timeout, asked.keep), kept(asked.rows)
    for case in find_cases(asked.models):
        for row in missing(case, tools, rows, settings):
            print(render([row]).splitlines()[-1], flush=True)
            rows.append(row)
            keep(asked.rows, row)
        if asked.out:
            asked.out.write_text(page(tools, settings, rows))
    return 0 if rows else 1


def missing(case: Case, tools: Sequence[Tool], rows: Iterable[Row], settings: Settings) -> Iterable[Row]:
    """The rows of a model that nobody has measured yet."""
    known = {row.tool for row in rows if row.model == case.name}
    lacking = [tool for tool in tools if tool.name not in known]
    found = compare(case, lacking, settings) if lacking else ()
    return (row for row in found if row.tool not in known)


def page(tools: Sequence[Tool], settings: Settings, rows: Sequence[Row]) -> str:
    """The whole file: who gains how much, and all figures."""
    order = {name: number for number, name in enumerate((UNQUANTIZED, *(tool.name for tool in tools)))}
    shown = [row for model in dict.fromkeys(row.model for row in rows) for row in by_tool(rows, model).values()]
    shown = [row for row in shown if row.tool in order]
    places = {model: place for place, model in enumerate(dict.fromkeys(row.model for row in rows))}
    shown.sort(key=lambda row: (places[row.model], order[row.tool]))
    title, _, rest = header(tools, settings).partition("\n")
    title = title.replace("Quantizers compared", "What fixes win back")
    parts = (title, rest, gains(rows), "", "What has no row was not run.", "", render(shown), "")
    return "\n".join(parts)


def gains(rows: Sequence[Row]) -> str:
    """A line for each model: `auto` against the better of no fix and ModelOpt's better method."""
    titles = ("model", "no fix, dB", "ModelOpt, dB", "auto, dB", "gain, dB", "auto, s", "fixes taken")
    lines = [f"| {' | '.join(titles)} |", "| --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    found = []
    for model in dict.fromkeys(row.model for row in rows):
        of = by_tool(rows, model)
        plain, auto, modelopt = decibels(of, PLAIN), decibels(of, AUTO), decibels(of, *MODELOPT)
        if plain is None or auto is None:
            continue
        gain = auto - max(plain, plain if modelopt is None else modelopt)
        found.append(gain)
        figures = [f"{value:.1f}" if value is not None else "-" for value in (plain, modelopt, auto)]
        lines.append(f"| {' | '.join([model, *figures, f'{gain:+.1f}', f'{of[AUTO].seconds:.0f}', of[AUTO].note])} |")
    if not found:
        return ""
    mean = sum(found) / len(found)
    told = f"Of {len(found)} models: on average {mean:+.1f} dB, at least {min(found):+.1f} dB"
    told += f"; the bar is {BAR:+.1f} dB, and never below 0."
    return "\n".join([*lines, "", told])


def by_tool(rows: Iterable[Row], model: str) -> Mapping[str, Row]:
    """The rows of a model."""
    return {row.tool: row for row in rows if row.model == model}


def decibels(of: Mapping[str, Row], *tools: str) -> float | None:
    """The best SQNR that some tools reached; what has nothing in INT8 is left out."""
    rows = [row for name in tools if (row := of.get(name)) and row.int8 != 0]
    return max((row.sqnr_db for row in rows if row.sqnr_db is not None), default=None)


def kept(path: Path | None) -> list[Row]:
    """The rows in a file."""
    if path is None or not path.exists():
        return []
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()]


def keep(path: Path | None, row: Row) -> None:
    """Adds a row to a file."""
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = ",".join((PLAIN, *ALONE, AUTO, *MODELOPT, *RIVALS))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="*", metavar="GLOB", help="names of models")
    parser.add_argument("--tools", default=names, help="comma-separated; default: all")
    for family, package in (("modelopt", "nvidia-modelopt"), ("quark", "amd-quark"), ("aimet", "aimet-onnx")):
        parser.add_argument(f"--{family}-python", type=absolute, metavar="PATH", help=f"the interpreter of {package}")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="where to write the tables")
    parser.add_argument("--rows", type=Path, metavar="FILE.jsonl", help="where rows are kept, and taken from")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep models as MODEL.TOOL.onnx")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds until a tool is stopped")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
