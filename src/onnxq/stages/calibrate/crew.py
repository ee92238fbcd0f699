"""Workers that run batches side by side and count what the model computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from onnxq.core.batch import Batch, Run
from onnxq.core.tally import Tally
from onnxq.errors import DataError


class Crew:
    """Threads that each run whole batches, while the caller reads the next one.

    Neither computing nor counting holds Python's lock. Counts do not depend on the order in which batches are through.

    Attributes:
        counted: how many samples are through, of the first ones without a gap.
    """

    def __init__(self, run: Run, tallies: Mapping[str, Tally], workers: int) -> None:
        """Hires the workers.

        Args:
            run: feeds -> values of the tensors in `tallies`; called by several threads at once.
            tallies: to count in, by tensor.
            workers: how many batches run at a time.
        """
        self.counted = 0
        self._run, self._tallies, self._workers = run, tallies, workers
        self._pool = ThreadPoolExecutor(workers, "onnxq")
        self._pending: deque[Future[int]] = deque()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, batch: Batch) -> None:
        """Gives the workers a batch; waits while there is already one for each of them.

        Raises:
            DataError: a batch before, or this one, makes the model compute NaN or Inf.
        """
        self._pending.append(self._pool.submit(self._count, batch))
        self._wait_for_all_but(self._workers)

    def settle(self) -> None:
        """Waits until all that was given is counted."""
        self._wait_for_all_but(0)

    def _wait_for_all_but(self, rest: int) -> None:
        while len(self._pending) > rest:
            self.counted += self._pending.popleft().result()

    def _count(self, batch: Batch) -> int:
        values = dict(self._run(batch.feeds))
        for name, tally in self._tallies.items():
            value = batch.unpadded(values.pop(name))  # each is freed as soon as it is counted
            if not tally.add(value, batch.samples):
                raise DataError(
                    f"The FP32 model computes NaN or Inf in tensor '{name}' for {batch.culprit(value)}. "
                    "Leave that sample out, or skip the node that reads the tensor."
                )
        return batch.samples
