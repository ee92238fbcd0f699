"""What an interrupted command leaves behind, and how the next one goes on from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from onnxq.cli.progress import Bar
from onnxq.errors import OnnxqError
from onnxq.pipeline import Checkpoint


@contextmanager
def resumable(checkpoint: Checkpoint | None, done: str) -> Iterator[None]:
    """Says how to go on, should the block stop before its end.

    Args:
        checkpoint: of the work in the block, if it has one.
        done: what was done before, such as "counted".
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint and checkpoint.is_kept:
            raise KeyboardInterrupt(f"'{checkpoint.path}' has what was {done}: go on with --resume") from None
        raise
    except OnnxqError as error:
        if checkpoint and checkpoint.is_kept:
            text = f"{error} '{checkpoint.path}' has what was {done} before: then go on with --resume."
            raise type(error)(text) from error
        raise


def note_given_up(checkpoint: Checkpoint | None, options: argparse.Namespace, bar: Bar) -> None:
    """Says so if an unfinished file is there, and nobody wants to go on from it."""
    if checkpoint and checkpoint.path.exists() and not options.resume:
        bar.note(f"'{checkpoint.path}' of an interrupted run is given up. --resume would have gone on from it.")
