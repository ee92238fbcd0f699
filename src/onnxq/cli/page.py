"""The option of commands that can show what they did as an HTML page."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from onnxq.errors import OutputError

KINDS = (".html", ".htm")


def add_report(command: argparse.ArgumentParser) -> None:
    """The same page, as an option of a command that quantizes."""
    text = "write all there is to see as one HTML page, with the error of each tensor (pip install 'onnxq[report]')"
    command.add_argument("--report", type=Path, metavar="HTML", help=text)


def check_page(page: Path | None, others: Iterable[Path | None] = (), measures: bool = False) -> None:
    """Refuses a page that cannot be written before any work is done.

    Args:
        page: where it goes, None if there is none.
        others: what else is written.
        measures: whether there are samples, on which the error of each tensor is measured.

    Raises:
        OutputError: it has another kind's name, or is another output too.
        RecipeError: a package is missing.
        RuntimeFailure: Polygraphy is missing, which runs models side by side.
    """
    if page is None:
        return
    if page.suffix not in KINDS:
        raise OutputError(f"The report '{page}' must end in {KINDS[0]}.")
    if page.resolve() in {other.resolve() for other in others if other}:
        raise OutputError(f"The report and another output are both '{page}'. Give each its own name.")
    from onnxq.reports.html import check_report  # noqa: PLC0415 - it takes as long as all else
    from onnxq.runtimes.polygraphy import check_package  # noqa: PLC0415

    check_report()
    if measures:
        check_package()
