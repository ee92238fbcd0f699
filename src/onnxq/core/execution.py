"""How the work is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnxq.core.memory import Memory
from onnxq.core.observer import Observer, Silent
from onnxq.errors import RecipeError


@dataclass(frozen=True)
class Execution:
    """How models are run while they are calibrated and compared.

    On one kind of processor it changes no result, but for a time limit.

    Attributes:
        batch_size: samples per inference, where the model leaves it free; None for what suits the memory.
        max_memory: bytes that the tensors fetched from the model may take at a time; None for a share of the machine's.
        providers: ONNX Runtime's execution providers in order of preference, such as "cuda"; the CPU is always last.
        session_options: ONNX Runtime's session options, by name.
        observer: told of the progress.
        time_limit: seconds after which no fix is tried any more, so that a slower machine may take fewer; None for a
            few minutes where fixes are chosen automatically, and for no limit where they are named.
        jobs: batches that are run side by side while variants of a model are measured; None for one per core.
        memory: of what fixes find, so that a run can go on where another one was stopped: `Checkpoint.memory`.
    """

    batch_size: int | None = None
    max_memory: int | None = None
    providers: Sequence[str] = ()
    session_options: Mapping[str, str] = field(default_factory=dict)
    observer: Observer = field(default_factory=Silent)
    jobs: int | None = None
    time_limit: float | None = None
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if isinstance(self.providers, str):
            raise RecipeError(f"providers is a list of names. Got '{self.providers}': write ('{self.providers}',).")
        for name in ("batch_size", "max_memory", "jobs"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise RecipeError(f"The {name.replace('_', ' ')} must be a whole number above 0. Got {value!r}.")
        if self.time_limit is not None and not self.time_limit > 0:
            raise RecipeError(f"The time limit must be above 0 seconds. Got {self.time_limit}.")
