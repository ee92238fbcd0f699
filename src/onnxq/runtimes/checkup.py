"""Looks at what is installed: each package is imported, and each engine tried, in a process of its own.

So it can be told of one that crashes, and this process depends on none: nothing but the standard library is imported.
"""

from __future__ import annotations

import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata, util
from typing import NamedTuple

from onnxq import __version__
from onnxq.core.checkup import Checkup, Engine, Package
from onnxq.runtimes.gpu import gpus
from onnxq.runtimes.machine import cores, memory

MODULES = {"pyyaml": "yaml", "pillow": "PIL"}
"""Packages whose module is called in another way."""

TESTED = {
    "fast-histogram": "0.14",
    "jinja2": "3.1",
    "lazy-loader": "0.6",
    "matplotlib": "3.11",
    "numpy": "2.4",
    "onnx": "1.23",
    "onnx-ir": "1.1",
    "onnxruntime": "1.32",
    "pillow": "13.0",
    "polygraphy": "0.53.6",
    "pyyaml": "6.0",
    "rich": "15.0",
    "scipy": "1.17",
    "shtab": "1.13",
    "tensorrt-rtx": "1.7",
}
"""The versions that this version of onnxq was tested with."""

PURPOSES = {
    "images": "images as samples",
    "plots": "charts",
    "polygraphy": "onnxq compare",
    "report": "HTML reports",
    "rtx": "compiling without a GPU: inspect, build, --check",
    "search": "--max-drop, --min-sqnr",
    "tensorrt": "engines for TensorRT, on a GPU",
}
"""What an extra is for; others are for those who work on onnxq."""

_HERE = "import sys; sys.path[:] = sys.argv[2:]; "
_IMPORT = _HERE + "m = __import__(sys.argv[1]); print(getattr(m, '__version__', 'unknown'))"
_TRY = _HERE + "from onnxq.runtimes.trial import tried; print(tried(sys.argv[1]))"
_SECONDS = 300


class _Ended(NamedTuple):
    """How a process of Python ended: what it printed last, or why it failed."""

    text: str
    fault: str


def checkup() -> Checkup:
    """What is found around onnxq."""
    found = gpus()
    with ThreadPoolExecutor(cores()) as crew:
        packages = list(crew.map(_looked_at, _listed()))
        by_name = {package.name: package for package in packages}
        engines = (
            ("ONNX Runtime", by_name.get("onnxruntime"), ""),
            ("TensorRT", by_name.get("tensorrt"), "" if found else "it takes a GPU, and none answers"),
            ("TensorRT for RTX", by_name.get("tensorrt-rtx"), ""),
        )
        asked = tuple(crew.map(lambda row: _asked(*row), engines))
    return Checkup(
        onnxq=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cores=cores(),
        memory=memory(),
        gpus=found,
        packages=tuple(packages),
        engines=asked,
    )


def _listed() -> Iterator[Package]:
    """What onnxq's metadata say that it needs, then its extras."""
    rows = [re.match(r"([\w.-]+)(?:\[.*?\])?[ (]*>=([\d.]+)(?:.*extra *== *['\"](\w+))?", text) for text in _required()]
    found = [row for row in rows if row and (row[3] is None or row[3] in PURPOSES)]
    for row in sorted(found, key=lambda row: (row[3] or "", row[1].lower())):
        name, extra = row[1].lower(), row[3] or ""
        yield Package(name, row[2], TESTED.get(name, ""), extra, PURPOSES.get(extra, ""))


def _required() -> list[str]:
    try:
        return metadata.requires("onnxq") or []
    except metadata.PackageNotFoundError:  # run from a folder, without being installed
        return []


def _looked_at(package: Package) -> Package:
    module = MODULES.get(package.name, package.name.replace("-", "_"))
    if util.find_spec(module) is None:
        return package
    ended = _python(_IMPORT, module)
    try:
        version = metadata.version(package.name)
    except metadata.PackageNotFoundError:  # another distribution has the module, such as onnxruntime-gpu
        version = ended.text or "unknown"
    return replace(package, version=version, fault=ended.fault)


def _asked(title: str, package: Package | None, obstacle: str) -> Engine:
    if package is None or not package.version:
        return Engine(title, None, f"not installed: {package.install}" if package else "not installed")
    if package.fault or obstacle:
        return Engine(title, False if package.fault else None, package.fault or obstacle)
    ended = _python(_TRY, package.name)
    return Engine(title, not ended.fault, ended.fault or ended.text)


def _python(code: str, argument: str) -> _Ended:
    """Runs code in another process of this Python, with the same modules."""
    command = [sys.executable, "-W", "ignore", "-c", code, argument, *sys.path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _Ended("", f"no answer within {_SECONDS} seconds")
    if done.returncode < 0:
        return _Ended("", f"the process was ended by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        return _Ended("", re.sub(r"^onnxq\.errors\.\w+: ", "", _last_line(done.stderr)) or "it says nothing")
    return _Ended(_last_line(done.stdout), "")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
