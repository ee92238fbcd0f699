"""Results that are remembered, as an npz file, and back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxq.core.batch import Tensors
from onnxq.core.memory import Results
from onnxq.core.statistics_npz import DAMAGED, arrays_from_npz
from onnxq.errors import DataError

VERSION = 1


def npz_from_results(origin: str, results: Results) -> bytes:
    """The content of a file.

    Its arrays: `task` (digests), `parts` (how many arrays came of each), `part` (their names), and these by their
    numbers; `origin`, and `onnxq_memory`, the version of the layout.

    Args:
        origin: what the results belong to.
        results: what came of each task.
    """
    parts = [(name, array) for found in results.values() for name, array in found.items()]
    content: dict[str, Any] = {
        "onnxq_memory": np.int64(VERSION),
        "origin": np.array(origin),
        "task": np.array(list(results), np.str_),
        "parts": np.array([len(found) for found in results.values()], np.int64),
        "part": np.array([name for name, _ in parts], np.str_),
        **{str(number): array for number, (_, array) in enumerate(parts)},
    }
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def results_from_npz(content: bytes, where: str) -> tuple[str, Results]:
    """What the results in a file belong to, and they.

    Args:
        content: of the file.
        where: what a message calls it.

    Raises:
        DataError: it holds no results, those of another version of onnxq, or was damaged.
    """
    try:
        stored = arrays_from_npz(content)
        if int(stored["onnxq_memory"]) != VERSION:
            raise ValueError(f"its layout is not {VERSION}")
        return str(stored["origin"]), dict(_rows(stored))
    except (*DAMAGED, AttributeError, TypeError) as cause:
        raise DataError(
            f"'{where}' cannot be resumed: it holds nothing that fixes found, or was damaged. "
            "Leave out --resume to start again."
        ) from cause


def _rows(stored: dict[str, Any]) -> Iterator[tuple[str, Tensors]]:
    for task, end, parts in zip(stored["task"], np.cumsum(stored["parts"]), stored["parts"], strict=True):
        yield str(task), {str(stored["part"][number]): stored[str(number)] for number in range(end - parts, end)}
