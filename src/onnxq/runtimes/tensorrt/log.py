"""What TensorRT says while it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Messages = list[tuple[Any, str]]


def open_log(trt: Any) -> tuple[Any, Messages]:
    """A logger that keeps every message, and the list of (severity, text) it fills."""
    messages: Messages = []

    class Log(trt.ILogger):  # type: ignore[misc]  # the package ships no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.append((severity, text))

    return Log(), messages


def errors(trt: Any, messages: Messages) -> str:
    """What went wrong, in TensorRT's words."""
    severe = (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR)
    return join([text for severity, text in messages if severity in severe])


def join(sentences: Sequence[str]) -> str:
    """Each sentence once."""
    return "; ".join(dict.fromkeys(sentences)) or "it gives no reason"
