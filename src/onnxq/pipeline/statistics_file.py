"""What was measured before, in files.

Statistics, calibration caches, and the unfinished statistics that an interrupted calibration goes on from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnxq import files
from onnxq.core.batch import Batch, hashed
from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.core.statistics_npz import npz_from_statistics, statistics_from_npz
from onnxq.errors import DataError
from onnxq.stages.calibrate import Journal


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
    return CalibrationCache.from_text(text, f"The calibration cache '{path}'")


def save_statistics(statistics: Statistics, path: str | Path) -> None:
    """Writes statistics in one step: the same bytes for the same statistics.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    files.write(Path(path), npz_from_statistics(statistics))


class Checkpoint:
    """The unfinished statistics beside a file that is being made, and what they were made from.

    Attributes:
        path: the unfinished file.
        is_kept: whether it has what this run counted, or goes on from.
    """

    def __init__(self, target: Path, resume: bool) -> None:
        """Nothing is read or written yet.

        Args:
            target: where the finished statistics go.
            resume: whether to go on from an unfinished file, if there is one.
        """
        self.path = target.with_name(f"{target.name}.partial")
        self.is_kept = False
        self._resume = resume

    def journal(self, model: str, first: Batch) -> Journal:
        """What was counted before, and where to keep what is counted now.

        Args:
            model: what tells the model from others.
            first: the first batch of the samples, by which they are told from others.

        Raises:
            DataError: the unfinished file belongs to another model, or to other samples.
        """
        origin = f"{model} {hashed(next(first.split()))}"

        def keep(tensors: Mapping[str, TensorStatistics]) -> None:
            files.write(self.path, npz_from_statistics(Statistics(origin, tensors), compressed=False))
            self.is_kept = True

        if not (self._resume and self.path.exists()):
            return Journal(keep=keep)
        begun = load_statistics(self.path)
        if begun.model != origin:
            is_same = begun.model.split()[0] == model
            other = "other samples, or other ways to prepare them" if is_same else "another model"
            raise DataError(
                f"'{self.path}' was begun with {other}. It cannot be resumed. Leave out --resume to start again."
            )
        self.is_kept = True
        return Journal(begun.tensors, keep)

    def remove(self) -> None:
        """The statistics are finished."""
        self.path.unlink(missing_ok=True)
