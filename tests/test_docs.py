"""Pages of docs/ do what they say, links lead somewhere, and the site is built without a warning.

`tests/pages.py` tells how blocks run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import onnxq
from onnxq.catalog.fixes import FIXES
from tests.pages import ROOT, Block, Page, prints

PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKED = [*PAGES, *ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("models/*.md")]
EXTRAS = re.findall(r"^(?:dev|docs|rtx|dependencies) = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
PROMISED = set(re.findall(r'"([\w-]+)', " ".join(EXTRAS)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_block_runs(path: Path, tmp_path: Path) -> None:
    Page(path).check(tmp_path)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_block_is_left_out_only_for_packages_that_no_extra_installs(path: Path) -> None:
    for block in Page(path).blocks:
        assert not set(block.needs) & PROMISED, block.text


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert not Page(path).broken()


def test_every_command_is_shown_and_its_options_are_listed() -> None:
    shown, listed = ((ROOT / "docs" / name).read_text() for name in ("commands.md", "options.md"))
    for module in (ROOT / "src" / "onnxq" / "cli").glob("*.py"):
        if "\ndef run(" in module.read_text():
            assert f"\n## {module.stem}: " in shown
            assert f"<!-- onnxq {module.stem} --help -->" in listed


def test_every_fix_is_described() -> None:
    described = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "fixes.md").read_text(), re.MULTILINE)
    assert described == [fix.name for fix in FIXES]


def test_every_public_name_is_in_the_reference() -> None:
    described = re.findall(r"^::: onnxq\.(\w+)$", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE)
    assert sorted(described) == sorted(onnxq.__all__)


@pytest.mark.docs
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "quantize_within" in (tmp_path / "python.html").read_text()
    assert "--max-drop" in (tmp_path / "options.html").read_text()


class TestWhatPagesShow:
    def test_numbers_and_widths_may_differ(self) -> None:
        assert prints("SQNR   40.0 dB\n─────\nConv 11", "SQNR 39.9 dB\n──\nConv 11\n")

    def test_words_may_not(self) -> None:
        assert not prints("Quantized, from 192 samples", "Calibrated, from 192 samples")

    def test_a_line_of_dots_leaves_lines_out(self) -> None:
        assert prints("a\nb\nc\nd", "a\n…\nd") and not prints("a\nb\nc\nd", "a\nd") and not prints("a\nb", "b\n…\na")


class TestBlocks:
    def test_a_failure_is_no_page(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="false"):
            Block("bash", "false").check(tmp_path)

    def test_an_error_that_is_shown_must_come(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="true"):
            Block("bash", "true", "error: nothing works\n").check(tmp_path)

    def test_output_that_is_shown_must_come(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="but the page shows"):
            Block("bash", "echo a", "b\n").check(tmp_path)

    def test_what_cannot_run_here_is_read_at_least(self, tmp_path: Path) -> None:
        Block("python", "# needs no_such_package\nimport no_such_package\n").check(tmp_path)
        with pytest.raises(SyntaxError):
            Block("python", "# needs no_such_package\nimport (\n").check(tmp_path)
        with pytest.raises(subprocess.CalledProcessError):
            Block("bash", "# needs no_such_package\nif\n").check(tmp_path)

    def test_output_needs_a_block_that_prints_it(self, tmp_path: Path) -> None:
        (tmp_path / "page.md").write_text("```text\na\n```\n")
        with pytest.raises(AssertionError, match="shows what no block prints"):
            _ = Page(tmp_path / "page.md").blocks

    def test_a_link_needs_a_heading(self) -> None:
        here = Page(ROOT / "README.md")
        assert here._leads_somewhere("#use-it") and not here._leads_somewhere("#no-such-heading")
        assert not here._leads_somewhere("no-such-file.md") and not here._leads_somewhere("../outside.md")
