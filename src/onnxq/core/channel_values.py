"""Numbers that a tensor holds for typical inputs, channel by channel: enough to tell what channels are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxq.core.fix import Case
from onnxq.core.lanes import Lanes

SAMPLES = 64
"""So many samples are looked at, at the most; of fewer than twice as many the first half."""

MOST = 2048
"""So many numbers of a channel are kept of them, at the most."""

Values = NDArray[np.float32]
"""(channels, numbers)."""


def looked_at(case: Case) -> int:
    """How many samples values are taken of, from the first on; a judge should see the others, if there are any."""
    return min(SAMPLES, max(1, len(case.samples) // 2))


def channel_values(case: Case, lanes: Lanes, tensors: Sequence[str]) -> Mapping[str, Values]:
    """Numbers of each channel of `tensors`, as the float model computes them; one channel where lanes do not tell any.

    Args:
        case: its samples, the first of which are run.
        lanes: they say along which axis channels lie.
        tensors: of the graph.
    """
    run = case.run(case.view, None, tensors)
    parts: dict[str, list[Values]] = {tensor: [] for tensor in tensors}
    seen, most = 0, looked_at(case)
    for batch in case.samples.batches():
        made = run(batch.feeds)
        count = min(batch.samples, most - seen)
        for tensor in tensors:
            values = batch.unpadded(made[tensor])
            values = values[:count] if values.ndim and len(values) == batch.samples else values
            rows = _rows(values, lanes, tensor)
            wanted = max(1, MOST * count // most)
            places = np.linspace(0, rows.shape[1] - 1, min(wanted, rows.shape[1])).astype(np.int64)
            parts[tensor].append(rows[:, places])
        seen += count
        if seen >= most:
            break
    return {tensor: np.concatenate(found, axis=1) for tensor, found in parts.items()}


def _rows(values: NDArray[np.float32], lanes: Lanes, tensor: str) -> Values:
    ids = lanes.of.get(tensor)
    if ids is None or ids.size == 1 or ids.size != max(ids.shape):
        return values.reshape(1, -1)
    axis = int(np.argmax(ids.shape))
    if values.shape[axis] != ids.size:
        return values.reshape(1, -1)
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
