"""What a fix is: it changes a model before it is quantized, so that less is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from onnxq.core.batch import Run, Source
from onnxq.core.float_type import FloatType
from onnxq.core.graph import GraphView
from onnxq.core.memory import Memory
from onnxq.core.observer import Observer
from onnxq.core.plan import Plan
from onnxq.core.scales import Scales
from onnxq.core.statistics import Statistics


class Lab(Protocol):
    """Makes models that can be run of what a fix works with."""

    def __call__(self, view: GraphView, scales: Scales | None, tensors: Sequence[str]) -> Run:
        """A model that computes `tensors`.

        Args:
            view: its graph and its constants.
            scales: of all Q/DQ that the plan asks for; None computes in float.
            tensors: what a call returns.
        """


@dataclass(frozen=True)
class Case:
    """A model on its way to being quantized, as a fix finds it.

    Attributes:
        view: the model with what earlier fixes made of it; in float, with the tensors that the plan names.
        reference: what the quantized model is to come close to. Tensors that both have mean the same in both.
        plan: which edges have Q/DQ.
        scales: of everything that the plan quantizes.
        statistics: of the float model: all activations that the plan quantizes, and the extremes of more.
        samples: typical inputs, always in the same order and the same batches.
        run: makes models that can be run.
        observer: told of the progress as often as possible, since it may stop a fix that takes too long.
        cores: threads that may compute at a time.
        low: the type that what is not quantized is written in; None for FP32.
        seed: chooses wherever something is drawn.
        memory: of what was found before; what takes long is asked of it.
    """

    view: GraphView
    reference: GraphView
    plan: Plan
    scales: Scales
    statistics: Statistics
    samples: Source
    run: Lab
    observer: Observer
    cores: int = 1
    low: FloatType | None = None
    seed: int = 0
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class Fixed:
    """What a fix makes of a model.

    Nodes keep their names, and quantized edges their tensor, node and input index, unless `plan` says otherwise.

    Attributes:
        view: the graph and its constants. A quantized weight that lies on the grid of its scale is stored as it is.
        scales: of everything that the plan quantizes. None stands for those there were, and behind a fix that preserves
            what the model computes for those that a new measurement gives.
        notes: sentences for people who want to know all: what was done, and what was left and why.
        reference: what the quantized model is to come close to from here on, by a fix that does not preserve what it
            computes, but changes what tensors mean; it computes what the reference did. None if nothing changes.
        plan: which edges have Q/DQ from here on, if some read another tensor than before; None if none does.
    """

    view: GraphView
    scales: Scales | None = None
    notes: tuple[str, ...] = ()
    reference: GraphView | None = None
    plan: Plan | None = None


class Fix(Protocol):
    """A way to lose less. Implementations are frozen: their fields are their parameters."""

    @property
    def name(self) -> str:
        """As recipes spell it."""

    @property
    def doc(self) -> str:
        """A line for people."""

    @property
    def preserves(self) -> bool:
        """Whether the float model computes the same before and after, up to rounding, so that it is measured anew.

        Other fixes come behind these: they need the scales, and change them at most for the better. Scales that are
        known from elsewhere stay as they are.
        """

    def __call__(self, case: Case) -> Fixed:
        """The model with less to lose."""
