"""What the site has beside the pages of this folder: pages that live elsewhere in the repository, and `--help`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("ARCHITECTURE.md", "CHANGELOG.md", "models/README.md", "benchmarks/*.md")
HELP = re.compile("<!-- (onnxq .*--help) -->")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that live elsewhere."""
    for pattern in ELSEWHERE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links out of this folder lead to where the site has these pages; options come from the commands themselves."""
    markdown = re.sub(r"\]\(\.\./(ARCHITECTURE|CHANGELOG|models/README|benchmarks/\w+)\.md", r"](\1.md", markdown)
    return HELP.sub(_help, markdown)


def _help(command: re.Match[str]) -> str:
    """What a command prints about itself, 100 columns wide."""
    done = subprocess.run(
        [sys.executable, "-m", *command[1].split()],
        env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return f"```text\n{done.stdout}```"
