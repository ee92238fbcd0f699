"""Pages of Markdown whose blocks run as they stand: shell lines in bash, Python as a script, in one folder per page.

- A ``text`` block is what the block before it prints, numbers aside. A line of ``…`` stands for lines left out.
- A block whose shown output has a line that begins with ``error:`` fails; all others must not.
- A block that begins with ``# needs tensorflow, tf2onnx`` runs where they are; elsewhere its syntax is checked.

``python -m tests.pages docs/commands.md`` makes a page show what its blocks print where it shows something else.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import HAS

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDS = re.compile(r"# needs (.+)\n")
RUN, SHOWN, DATA = ("bash", "python"), "text", ("yaml",)
INSTALLS = ("make ", "pip install", "git clone", "cd onnxq", "source ")  # the test environment is what they lead to
NUMBER, RULE, LEFT_OUT = re.compile(r"-?\d+(?:[.,]\d+)*"), re.compile("─+"), re.compile(r"^…$", re.MULTILINE)
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Block:
    """One block that runs.

    Attributes:
        language: bash or python.
        text: as it stands.
        shown: what the page says that it prints, None if it says nothing.
    """

    language: str
    text: str
    shown: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Packages that no extra installs."""
        found = NEEDS.match(self.text)
        return tuple(found[1].split(", ")) if found else ()

    @property
    def fails(self) -> bool:
        return bool(re.search(r"^error: ", self.shown or "", re.MULTILINE))

    @property
    def is_whole(self) -> bool:
        """Whether all its lines run here."""
        return not any(map(lacks_compiler, self.text.splitlines()))

    def command(self) -> list[str]:
        if self.language == "python":
            return [sys.executable, "-W", "error", "-c", self.text]
        lines = [line for line in self.text.splitlines() if not line.startswith(INSTALLS) and not lacks_compiler(line)]
        return ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]

    def run(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Runs it in `folder`; what it prints and its errors are one text."""
        return subprocess.run(
            self.command(),
            cwd=folder,
            env=os.environ | {"PATH": PATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def check(self, folder: Path) -> None:
        """Runs it in `folder`, or reads it where that cannot be.

        Raises:
            AssertionError: it does not do, or print, what the page says.
        """
        if not all(map(importlib.util.find_spec, self.needs)):
            self._check_syntax()
            return
        done = self.run(folder)
        assert done.returncode in ((1, 2) if self.fails else (0,)), f"{self.text}\n{done.stdout}"
        if self.shown is not None and self.is_whole:
            assert prints(done.stdout, self.shown), (
                f"{self.text}\nprints\n{done.stdout}\nbut the page shows\n{self.shown}"
            )

    def _check_syntax(self) -> None:
        if self.language == "python":
            compile(self.text, "block", "exec")
        else:
            subprocess.run(["bash", "-n", "-c", self.text], check=True)


@dataclass(frozen=True)
class Page:
    """A file of Markdown."""

    path: Path

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Those that run.

        Raises:
            AssertionError: one is of an unknown language, or output stands alone.
        """
        found: list[Block] = []
        for language, text in FENCE.findall(self.path.read_text()):
            if language in RUN:
                found.append(Block(language, text))
            elif language == SHOWN:
                assert found and found[-1].shown is None, f"{self.path.name} shows what no block prints:\n{text}"
                found[-1].shown = text
            else:
                assert language in DATA, f"{self.path.name} has a block of language '{language}':\n{text}"
        return tuple(found)

    def check(self, folder: Path) -> None:
        """Runs all blocks in `folder`, beside the shipped model.

        Raises:
            AssertionError: one does not do what the page says.
        """
        shutil.copytree(ROOT / "models", folder / "models")
        for block in self.blocks:
            block.check(folder)

    @property
    def anchors(self) -> set[str]:
        """What a link may end in: the headings, as GitHub and Python-Markdown both spell them."""
        titles = re.findall(r"^#+ (.+)$", FENCE.sub("", self.path.read_text()), re.MULTILINE)
        return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title.lower())).strip("-") for title in titles}

    @property
    def links(self) -> tuple[str, ...]:
        """Those that lead to other files, or to other places of this one."""
        targets = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", self.path.read_text()))
        return tuple(target for target in targets if not re.match(r"[a-z]+:", target))

    def broken(self) -> list[str]:
        """Links that lead nowhere."""
        return [link for link in self.links if not self._leads_somewhere(link)]

    def _leads_somewhere(self, link: str) -> bool:
        file, _, anchor = link.partition("#")
        there = (self.path.parent / file).resolve() if file else self.path
        if not there.exists() or not there.is_relative_to(ROOT):
            return False
        return not anchor or anchor in Page(there).anchors


def lacks_compiler(line: str) -> bool:
    """Whether it takes TensorRT for RTX, which is not there for all systems."""
    return not HAS["tensorrt"] and (line.startswith(("onnxq build", "onnxq inspect")) or "--check" in line)


def words(text: str) -> list[str]:
    """What a text says, whatever its numbers and the width of its tables and lines."""
    return RULE.sub("─", NUMBER.sub("#", text)).split()


def prints(printed: str, shown: str) -> bool:
    """Whether the parts of `shown` between lines of ``…`` are parts of `printed`, in their order."""
    rest = words(printed)
    for part in map(words, LEFT_OUT.split(shown)):
        places = (at for at in range(len(rest) - len(part) + 1) if rest[at : at + len(part)] == part)
        if (place := next(places, None)) is None:
            return False
        rest = rest[place + len(part) :]
    return True


def write_outputs(path: Path, folder: Path) -> None:
    """Runs a page, and makes it show what its blocks print where it shows something else."""
    shutil.copytree(ROOT / "models", folder / "models")
    parts = re.split(r"(^```\S*\n.*?^```$)", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    printed = ""
    for place, part in enumerate(parts):
        found = FENCE.fullmatch(part)
        if found and found[1] in RUN:
            printed = Block(found[1], found[2]).run(folder).stdout
        elif found and found[1] == SHOWN and not (found[2].strip() and prints(printed, found[2])):
            lines = (line.rstrip() for line in printed.strip("\n").splitlines())
            parts[place] = "\n".join((f"```{SHOWN}", *lines, "```"))
    path.write_text("".join(parts))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            write_outputs(Path(name), Path(scratch))
