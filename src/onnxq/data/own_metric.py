"""A metric of the user's own: a function in a Python script.

``score(outputs, fp32, labels)`` is called with what a model makes of one batch, arrays by output name; with what FP32
makes of it; and with the class numbers of its samples, (samples,), or None if the data have none. It returns one number
per sample, (samples,), or their mean. Larger is better, and the figure is the mean over all samples. Batches and models
come in any order, one call at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxq.core.batch import Array, Tensors
from onnxq.core.metric import OwnMetric
from onnxq.data.script import SUFFIX, Script
from onnxq.data.user_code import called
from onnxq.errors import DataError

FUNCTION = "score"

Score = Callable[[Tensors, Tensors, Array | None], Any]


def is_script(text: str) -> bool:
    """Whether `text` names a script rather than a metric of ours."""
    return Script.of(text, FUNCTION).path.suffix == SUFFIX


def own_metric(text: str) -> OwnMetric:
    """The metric in "FILE.py" or "FILE.py:FUNCTION".

    Raises:
        DataError: there is no such file or function, or the script raises anything.
    """
    script = Script.of(text, FUNCTION)
    if not script.path.is_file():
        raise DataError(f"There is no file '{script.path}' with the metric '{text}'.")
    code = hashlib.sha256(script.path.read_bytes()).hexdigest()
    return OwnMetric(f"{script.path.name}:{script.function}", _Scores(script.load(), script.path), code=code)


@dataclass(frozen=True)
class _Scores:
    """Calls a user's function, and checks what it returns."""

    function: Score
    script: Path
    lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, outputs: Tensors, fp32: Tensors, labels: Array | None) -> NDArray[np.float64]:
        with self.lock:  # whoever writes a metric need not think of threads
            return called(partial(self._scores, outputs, fp32, labels), self.script)

    def _scores(self, outputs: Tensors, fp32: Tensors, labels: Array | None) -> NDArray[np.float64]:
        found = np.asarray(self.function(dict(outputs), dict(fp32), labels))
        if found.ndim > 1 or not (np.issubdtype(found.dtype, np.number) or found.dtype == np.bool_) or not found.size:
            raise DataError(
                f"'{self.script}' returns {found.dtype} of shape {found.shape}. A metric returns one number per "
                "sample, (samples,), or their mean."
            )
        scores = found.astype(np.float64)
        if not np.isfinite(scores).all():
            raise DataError(f"'{self.script}' returns NaN or Inf. A metric returns finite numbers.")
        return scores
