"""Edge to the file system: outputs are refused before any work is done, and appear in one step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from onnxq.errors import OutputError


def check_output(source: Path | None, target: Path) -> None:
    """Refuses an output path before any work is done.

    Raises:
        OutputError: `target` is the input itself, a folder, a device, read-only, or in a folder that cannot be written.
    """
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise OutputError(
            f"The output '{target}' is the input '{source}'. Choose another name: inputs are never touched."
        )
    if target.is_dir():
        raise OutputError(f"The output '{target}' is a folder. Give a file name.")
    if target.exists() and not target.is_file():
        raise OutputError(f"The output '{target}' is a device or a pipe. Give the name of a file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise OutputError(f"The output '{target}' is there and must not be written to. Choose another name.")
    if not target.parent.is_dir():
        raise OutputError(f"The folder '{target.parent}' of the output does not exist. Create it first.")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"The folder '{target.parent}' of the output cannot be written.")


def write(target: Path, content: bytes) -> None:
    """Writes a file in one step: whoever looks sees the old file or the new one, never a part, nor anything else.

    On Linux the new file has no name until it is complete, so that not even SIGKILL leaves one behind.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    try:
        _write(target.resolve(), content)  # what a link points to is replaced, not the link
    except OSError as cause:
        raise OutputError(f"The output '{target}' cannot be written: {cause.strerror}.") from cause


def _write(target: Path, content: bytes) -> None:
    named = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        nameless = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):  # another system, or a file system without nameless files
        _settle(named, target, lambda draft: _create(draft, content))
        return
    try:
        _fill(nameless, content)
        _settle(named, target, lambda draft: _name(nameless, draft))
    finally:
        os.close(nameless)


def _fill(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _create(name: Path, content: bytes) -> None:
    with name.open("wb", buffering=0) as file:
        _fill(file.fileno(), content)


def _name(descriptor: int, name: Path) -> None:
    name.unlink(missing_ok=True)  # left by a process of the same number that was killed right here
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor)  # with a dir_fd, Python follows the link


def _settle(draft: Path, target: Path, fill: Callable[[Path], None]) -> None:
    """Makes `draft` with `fill`, then moves it to `target`."""
    try:
        fill(draft)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
