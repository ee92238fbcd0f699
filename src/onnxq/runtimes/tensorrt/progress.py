"""How far a build has come."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onnxq.core.observer import Observer


def monitor_of(trt: Any, observer: Observer) -> Any:
    """An IProgressMonitor that tells `observer` of the outermost phase."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the package ships no types
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.stopped = False
            self._steps: dict[str, int] = {}
            self._outermost = ""

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if not parent_phase:
                self._outermost = phase_name
            self._steps[phase_name] = num_steps

        def phase_finish(self, phase_name: str) -> None:
            if phase_name == self._outermost:
                observer.advance(self._steps[phase_name], self._steps[phase_name])

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name == self._outermost:
                observer.advance(step + 1, self._steps[phase_name])
            return not self.stopped

    return Monitor()


@contextmanager
def interruptible(monitor: Any) -> Iterator[None]:
    """Lets Ctrl-C ask `monitor` to stop the build.

    TensorRT does not return to Python before it ends, and swallows what is raised in its callbacks.

    Raises:
        KeyboardInterrupt: at the end, if it was pressed.
    """

    def stop(*_: object) -> None:
        monitor.stopped = True

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread, which alone hears signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if monitor.stopped:
            raise KeyboardInterrupt
