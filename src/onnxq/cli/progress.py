"""A progress bar on a terminal's stderr, silence elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Rate(ProgressColumn):
    """Samples per second, of the current stage so far."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed else "", style="progress.data.speed")


class Bar:
    """Shows the stages, with their rate and the time that the current one still takes; and what is worth a line."""

    def __init__(self, quiet: bool, verbose: bool = False) -> None:
        console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._quiet, self._verbose = quiet, verbose
        self._progress = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, stage: str) -> None:
        """See Observer."""
        self._progress.remove_task(self._task)  # a task that is reset keeps its total
        self._task = self._progress.add_task(stage, total=None)

    def advance(self, done: int, total: int) -> None:
        """See Observer."""
        self._progress.update(self._task, completed=done, total=total or None)

    def note(self, text: str) -> None:
        """See Observer."""
        if not self._quiet:
            self._progress.console.print(text)

    def detail(self, text: str) -> None:
        """See Observer."""
        if self._verbose:
            self.note(text)
