"""A Checkup as plain text, since rich may be what is broken; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from onnxq.core.checkup import Checkup, Engine, Package
from onnxq.reports.number import counted

BAD = "!"
"""Stands in front of what does not work."""


def checkup_json(found: Checkup) -> str:
    """All of it."""
    return json.dumps(found.to_json(), indent=2)


def checkup_text(found: Checkup) -> str:
    """The verdict first, then what it is made of; what does not work is marked."""
    needed = [package for package in found.packages if not package.extra]
    extras = [package for package in found.packages if package.extra]
    columns = ("", "", "installed", "needed", "tested", "")
    sections = (
        ("machine", _columns(_machine(found))),
        ("packages", _columns([columns, *map(_package, needed)])),
        ("extras", _columns([columns, *map(_package, extras)])),
        ("engines", _columns(map(_engine, found.engines))),
    )
    blocks = [f"{title}\n{body}" for title, body in sections]
    return "\n\n".join([_verdict(found), *blocks])


def _verdict(found: Checkup) -> str:
    bad = [package.name for package in found.packages if not package.works]
    bad += [engine.title for engine in found.engines if engine.answers is False and engine.title not in bad]
    if bad:
        return f"onnxq {found.onnxq}: something is wrong with {', '.join(bad)}."
    if not found.packages:
        return f"onnxq {found.onnxq} is not installed as a package, so it is not known what it needs."
    return f"onnxq {found.onnxq} works."


def _machine(found: Checkup) -> Iterator[Sequence[str]]:
    yield "", "Python", f"{found.python} on {found.system}"
    yield "", "processor", f"{counted(found.cores, 'core')}, {found.memory / 2**30:.1f} GiB of memory"
    yield "", "GPU", ", ".join(found.gpus) or "none answers"


def _package(package: Package) -> Sequence[str]:
    said = package.fault
    if package.is_old:
        said = f"too old: {package.install}"
    elif not package.version:
        said = f"{package.purpose}: {package.install}" if package.extra else package.install
    elif not said:
        said = package.purpose
    mark = "" if package.works else BAD
    return mark, package.name, package.version or "-", f">={package.lowest}", package.tested or "-", said


def _engine(engine: Engine) -> Sequence[str]:
    return BAD if engine.answers is False else "", engine.title, engine.text


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of a mark and texts below each other."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        f"{row[0]:2}" + "  ".join(f"{text:{width}}" for text, width in zip(row[1:], widths[1:], strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)
