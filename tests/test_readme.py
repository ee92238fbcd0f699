"""README's blocks do what README says, and its links lead somewhere. `tests/pages.py` tells how."""

from __future__ import annotations

from pathlib import Path

from tests.pages import ROOT, Page

README = Page(ROOT / "README.md")


def test_every_block_runs(tmp_path: Path) -> None:
    assert {block.language for block in README.blocks} == {"bash", "python"}
    README.check(tmp_path)
