"""What was measured before, in files: statistics, finished or not, and calibration caches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from onnxq import files
from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.core.statistics_npz import npz_from_statistics, statistics_from_npz
from onnxq.errors import DataError
from onnxq.pipeline.checkpoint import Record


def load_statistics(path: str | Path) -> Statistics:
    """The statistics in a file.

    Raises:
        DataError: it is missing, or holds no statistics.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as cause:
        raise DataError(f"The statistics '{path}' cannot be read: {cause.strerror}.") from cause
    return statistics_from_npz(content, str(path))


def load_calibration_cache(path: str | Path) -> CalibrationCache:
    """The calibration cache that TensorRT 7 to 10 wrote.

    Raises:
        DataError: it is missing, or no such cache.
    """
    try:
        text = Path(path).read_text("utf-8", errors="replace")  # what is no text fails by its first line
    except OSError as cause:
        raise DataError(f"The calibration cache '{path}' cannot be read: {cause.strerror}.") from cause
    return replace(CalibrationCache.from_text(text, f"The calibration cache '{path}'"), path=str(path))


def save_statistics(statistics: Statistics, path: str | Path) -> None:
    """Writes statistics in one step: the same bytes for the same statistics.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    files.write(Path(path), npz_from_statistics(statistics))


def _bytes_of(origin: str, tensors: Mapping[str, TensorStatistics]) -> bytes:
    return npz_from_statistics(Statistics(origin, tensors), compressed=False)


def _read(path: Path) -> tuple[str, Mapping[str, TensorStatistics]]:
    begun = load_statistics(path)
    return begun.model, begun.tensors


RECORD = Record(_bytes_of, _read)
"""Unfinished statistics: a file like that of finished ones."""
