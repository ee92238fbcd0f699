"""What onnxq finds around it, and whether it works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Package:
    """A package that onnxq uses.

    Attributes:
        name: as pip knows it.
        lowest: the oldest version that is known to work.
        tested: the version that the tests ran with.
        extra: of onnxq, that installs it; empty where onnxq cannot do without.
        purpose: what it is for.
        version: the installed one; empty without one.
        fault: why it cannot be used although it is installed; empty if it can.
    """

    name: str
    lowest: str
    tested: str = ""
    extra: str = ""
    purpose: str = ""
    version: str = ""
    fault: str = ""

    @property
    def is_old(self) -> bool:
        """Whether it is older than what is known to work."""
        return bool(self.version) and _numbers(self.version) < _numbers(self.lowest)

    @property
    def works(self) -> bool:
        """Whether nothing is wrong with it; it may be missing where onnxq can do without."""
        return not (self.fault or self.is_old) and bool(self.version or self.extra)

    @property
    def install(self) -> str:
        """The command that installs it, or a newer one."""
        return f"pip install 'onnxq[{self.extra}]'" if self.extra else f"pip install '{self.name}>={self.lowest}'"


@dataclass(frozen=True)
class Engine:
    """What runs models.

    Attributes:
        title: its name.
        answers: whether it ran or compiled a small model; None if it cannot be asked.
        text: what it said, or why it cannot be asked.
    """

    title: str
    answers: bool | None
    text: str


@dataclass(frozen=True)
class Checkup:
    """What onnxq finds around it.

    Attributes:
        onnxq: its version.
        python: the version of Python.
        system: the operating system and the processor.
        cores: processor cores that this process may use.
        memory: bytes of memory.
        gpus: the names of those that answer.
        packages: those that onnxq needs, then its extras.
        engines: what runs models.
    """

    onnxq: str
    python: str
    system: str
    cores: int
    memory: int
    gpus: tuple[str, ...]
    packages: tuple[Package, ...]
    engines: tuple[Engine, ...]

    @property
    def works(self) -> bool:
        """Whether all that is installed works, and all that is needed is installed."""
        return all(package.works for package in self.packages) and all(e.answers is not False for e in self.engines)

    def to_json(self) -> Mapping[str, object]:
        """As plain data."""
        return {"works": self.works, **asdict(self)}


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: (1, 26) of "1.26.0rc1", without zeros at the end."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
