"""How an engine is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnxq.errors import RecipeError

Dims = tuple[int, ...]

_SHAPE = re.compile(r"\d+(x\d+)*")


@dataclass(frozen=True)
class Profile:
    """The shapes that an input may have, and the one that kernels are chosen for."""

    low: Dims
    best: Dims
    high: Dims

    def __post_init__(self) -> None:
        ranks = {len(self.low), len(self.best), len(self.high)}
        ordered = len(ranks) == 1 and all(a <= b <= c for a, b, c in zip(self.low, self.best, self.high, strict=True))
        if not ordered:
            raise RecipeError(f"The shapes {self.low}, {self.best}, {self.high} must grow from smallest to largest.")
        if 0 in self.low:
            raise RecipeError(f"The shape {self.low} has a size of 0. Give sizes of 1 and more.")

    @property
    def fixed(self) -> Profile:
        """The best shape alone."""
        return Profile(self.best, self.best, self.best)

    @staticmethod
    def from_text(text: str) -> tuple[str, Profile]:
        """The input and profile of ``input:1x3x32x32:8x3x32x32:32x3x32x32``, or of ``input:8x3x32x32`` alone.

        Raises:
            RecipeError: the text has another form.
        """
        name, *shapes = text.rsplit(":", 3)
        while shapes and not _SHAPE.fullmatch(shapes[0]):  # a name may hold colons
            name, shapes = f"{name}:{shapes[0]}", shapes[1:]
        if len(shapes) == 2 and shapes[0].isdecimal():  # TensorFlow's names end in :0
            name, shapes = f"{name}:{shapes[0]}", shapes[1:]
        if not name or len(shapes) not in (1, 3):
            raise RecipeError(
                f"'{text}' names no shapes. Give them as INPUT:MIN:OPT:MAX, such as "
                "image:1x3x32x32:8x3x32x32:32x3x32x32, or one for all as INPUT:8x3x32x32."
            )
        dims = [tuple(int(size) for size in shape.split("x")) for shape in shapes]
        return name, Profile(dims[0], dims[len(dims) // 2], dims[-1])

    @staticmethod
    def from_texts(texts: Iterable[str]) -> dict[str, Profile]:
        """The profiles that texts as in `from_text` give, by input.

        Raises:
            RecipeError: a text has another form, or two are of one input.
        """
        found: dict[str, Profile] = {}
        for name, profile in map(Profile.from_text, texts):
            if name in found:
                raise RecipeError(
                    f"--shapes names the input '{name}' twice. Give all its shapes at once, as MIN:OPT:MAX."
                )
            found[name] = profile
        return found


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    Attributes:
        backend: "tensorrt" or "tensorrt-rtx"; what is there if None.
        compute_capabilities: GPUs to build for, such as "8.9"; if empty, the one in this machine, or else any.
        profiles: by input.
        fixed: whether each input gets its best shape alone: layers then have exact sizes.
        timing_cache: what earlier builds have measured; empty for nothing.
        workspace: bytes of GPU memory that a kernel may use; the builder's own limit if None.
        version_compatible: whether later versions of TensorRT must run the engine.
        hardware_compatible: whether other GPUs must.
        plugins: libraries with plugins to load.
    """

    backend: str | None = None
    compute_capabilities: Sequence[str] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    fixed: bool = False
    timing_cache: bytes | None = None
    workspace: int | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False
    plugins: Sequence[Path] = ()
