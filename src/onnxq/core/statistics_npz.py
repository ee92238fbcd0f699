"""Statistics as an npz file, and back."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from onnxq.core.bins import HALF
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import DataError

VERSION = 2
BINS = 2 * HALF - 1

DAMAGED = (ValueError, KeyError, IndexError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for bytes that are no npz file, a damaged one, or one of something else."""


def arrays_from_npz(content: bytes) -> dict[str, Any]:
    """All arrays of a file, by name; what it raises for others is in DAMAGED."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def npz_from_statistics(statistics: Statistics, compressed: bool = True) -> bytes:
    """The content of a file: the same for the same statistics, whatever the order of their tensors.

    Its arrays, one row per tensor: `tensor` (names), `samples`, `count`, `low`, `high`, `exponent`, `binned` (whether
    the next row of `histogram` is this tensor's), and `channels` (how many of the next columns of `channel_extremes`
    are); `model` and `onnxq_statistics`, the version of the layout.
    """
    names = sorted(statistics.tensors)
    rows = [statistics.tensors[name] for name in names]
    channels = np.concatenate([np.zeros((2, 0)), *(row.channels for row in rows)], axis=1)
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(
        file,
        onnxq_statistics=np.int64(VERSION),
        model=np.array(statistics.model),
        tensor=np.array(names, np.str_),
        samples=np.array([row.samples for row in rows], np.int64),
        count=np.array([row.count for row in rows], np.int64),
        low=np.array([row.low for row in rows], np.float64),
        high=np.array([row.high for row in rows], np.float64),
        exponent=np.array([row.exponent for row in rows], np.int64),
        binned=np.array([row.is_binned for row in rows], np.bool_),
        histogram=np.array([row.histogram for row in rows if row.is_binned], np.int64).reshape(-1, BINS),
        channels=np.array([row.channels.shape[1] for row in rows], np.int64),
        channel_extremes=channels,
    )
    return file.getvalue()


def statistics_from_npz(content: bytes, where: str) -> Statistics:
    """The statistics in a file.

    Args:
        content: of the file.
        where: what a message calls it.

    Raises:
        DataError: it holds no statistics, those of another version of onnxq, or was damaged.
    """
    try:
        stored = arrays_from_npz(content)
        if (version := int(stored["onnxq_statistics"])) != VERSION:
            raise DataError(
                f"'{where}' holds statistics of version {version}; this onnxq reads {VERSION}. Make them anew."
            )
        return Statistics(str(stored["model"]), dict(_rows(stored)))
    except (*DAMAGED, AttributeError, TypeError) as cause:
        raise DataError(
            f"'{where}' holds no statistics, or was damaged: {cause}. `onnxq calibrate` makes such files."
        ) from cause


def _rows(stored: dict[str, Any]) -> list[tuple[str, TensorStatistics]]:
    ends, binned = np.cumsum(stored["channels"]), stored["binned"]
    histograms = iter(stored["histogram"].reshape(int(binned.sum()), BINS))
    return [
        (
            str(name),
            TensorStatistics(
                samples=int(stored["samples"][row]),
                count=int(stored["count"][row]),
                low=float(stored["low"][row]),
                high=float(stored["high"][row]),
                exponent=int(stored["exponent"][row]),
                histogram=next(histograms) if binned[row] else np.zeros(0, np.int64),
                channels=stored["channel_extremes"][:, ends[row] - stored["channels"][row] : ends[row]],
            ),
        )
        for row, name in enumerate(stored["tensor"])
    ]
