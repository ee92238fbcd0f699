"""How one tensor is stored: its format and how finely its scales are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnxq.errors import PlanError

Role = Literal["activation", "weight"]


@dataclass(frozen=True)
class PerTensor:
    """One scale: an input of shape (A, B, C) has a scale of shape ()."""


@dataclass(frozen=True)
class PerAxis:
    """One scale per slice of `axis`: for an input of shape (A, B, C) and axis 1, scales of shape (B,)."""

    axis: int


@dataclass(frozen=True)
class PerBlock:
    """One scale per `size` neighbours along `axis`: for (A, B, C) and axis 1, scales of shape (A, B/size, C)."""

    axis: int
    size: int


Granularity = PerTensor | PerAxis | PerBlock


@dataclass(frozen=True)
class Spec:
    """What a Q/DQ pair stores: the name of a format, a granularity, and whether the tensor is a weight."""

    format: str
    granularity: Granularity = PerTensor()
    role: Role = "activation"

    def __str__(self) -> str:
        match self.granularity:
            case PerTensor():
                return f"{self.format} per tensor"
            case PerAxis(axis):
                return f"{self.format} per channel, axis {axis}"
            case PerBlock(axis, size):
                return f"{self.format} per {size} along axis {axis}"

    def to_json(self) -> dict[str, object]:
        """The spec as plain data."""
        match self.granularity:
            case PerTensor():
                cut: dict[str, object] = {}
            case PerAxis(axis):
                cut = {"axis": axis}
            case PerBlock(axis, size):
                cut = {"axis": axis, "block_size": size}
        return {"format": self.format, "role": self.role, **cut}

    @staticmethod
    def from_json(data: object) -> Spec:
        """The spec that `to_json` wrote.

        Raises:
            PlanError: a key is missing, unknown, or holds something else than it should.
        """
        if not isinstance(data, dict) or not data.keys() <= {"format", "role", "axis", "block_size"}:
            raise PlanError(f"A spec has the keys format, role, axis and block_size. Got {data!r}.")
        name, role = data.get("format"), data.get("role", "activation")
        axis, size = data.get("axis"), data.get("block_size")
        if not isinstance(name, str) or role not in ("activation", "weight"):
            raise PlanError(f"A spec needs a format and the role 'activation' or 'weight'. Got {data!r}.")
        if not all(value is None or type(value) is int for value in (axis, size)) or (size and axis is None):
            raise PlanError(f"The axis and block_size of a spec must be whole numbers. Got {data!r}.")
        if axis is None:
            return Spec(name, PerTensor(), role)
        return Spec(name, PerBlock(axis, size) if size else PerAxis(axis), role)
