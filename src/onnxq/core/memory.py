"""Results of long work, so that a run need not do again what another one had done when it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnxq.core.batch import Batch, Tensors
from onnxq.core.digest import digest
from onnxq.core.journal import Journal

Results = Mapping[str, Tensors]
"""What came of tasks, by their digests."""


class Memory:
    """What came of tasks, remembered by all that it follows from; so a task that differs in anything is done anew."""

    def __init__(self, journal: Callable[[str, Batch], Journal[Results]] | None = None) -> None:
        """Nothing is remembered before `open`.

        Args:
            journal: (what tells the model from others, first batch of its samples) -> what was found before, and where
                what is found now is kept. None remembers nothing.
        """
        self._begin = journal
        self._journal: Journal[Results] | None = None
        self._results: dict[str, Tensors] = {}

    def open(self, model: str, first: Batch) -> None:
        """Looks up what was found before; once, as it is a memory of one model.

        Args:
            model: what tells the model from others.
            first: the first batch of the samples, by which they are told from others.

        Raises:
            DataError: what was found before belongs to another model, or to other samples, or cannot be read.
        """
        if self._begin is not None and self._journal is None:
            self._journal = self._begin(model, first)
            self._results.update(self._journal.begun or {})

    def recall(self, task: object, work: Callable[[], Tensors]) -> Tensors:
        """What came of a task.

        Args:
            task: all that the result depends on: what `digest` takes.
            work: does it, should it be new.
        """
        if self._journal is None:
            return work()
        name = digest(task)
        if name not in self._results:
            self._results[name] = work()
            if self._journal.is_due:
                self._journal.write(self._results)
        return self._results[name]
