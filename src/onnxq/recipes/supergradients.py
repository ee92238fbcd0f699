"""Quantization parameters of SuperGradients, as its YAML recipes have them.

Source: super-gradients, recipes/quantization_params/default_quantization_params.yaml, SelectiveQuantizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onnxq.core.recipe import Recipe
from onnxq.core.selector import Condition, Selector
from onnxq.errors import near_misses
from onnxq.recipes.document import Value

METHODS = ("percentile", "mse", "entropy", "max")
HISTOGRAM = "histogram"


@dataclass
class _Reading:
    """What was found so far."""

    calibrators: dict[str, str] = field(default_factory=lambda: {"calibrator": HISTOGRAM, "weight_calibrator": "max"})
    method: str = METHODS[0]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, value: Value, text: str) -> None:
        self.notes.append(f"{value.origin}: {text}")


def recognizes(root: Value) -> bool:
    """Whether a file has keys of SuperGradients at its top."""
    return root.is_mapping and any(key.text() in _TOP for key, _ in root.entries())


def translated(root: Value) -> tuple[Recipe, None, tuple[str, ...]]:
    """The recipe that comes closest, no cache, and sentences about what was not carried over.

    Raises:
        RecipeError: a parameter is unknown or has a value that it cannot have; the message names file and line.
    """
    reading = _Reading()
    for key, value in root.entries():
        if (name := key.text()) in _TOP:
            _TOP[name](reading, value)
        else:
            reading.note(key, f"'{name}' is no quantization parameter, and is not carried over.")
    for name, kind in reading.calibrators.items():
        reading.settings[name] = reading.method if kind == HISTOGRAM else kind
    return Recipe(**reading.settings), None, tuple(reading.notes)


def _section(keys: Mapping[str, Callable[[_Reading, Value], None]], what: str) -> Callable[[_Reading, Value], None]:
    def read(reading: _Reading, section: Value) -> None:
        if section.is_empty:
            return
        for key, value in section.entries():
            if (name := key.text()) not in keys:
                raise key.error(f"Unknown key '{name}' of {what}. Keys: {', '.join(keys)}.{near_misses(name, keys)}")
            keys[name](reading, value)

    return read


def _choice(value: Value, choices: tuple[str, ...]) -> str:
    if (text := value.text()) not in choices:
        known = f"Choose one of: {', '.join(choices)}.{near_misses(text, choices)}"
        raise value.error(f"Unknown {value.name} '{text}'. {known}")
    return text


def _calibrator(name: str) -> Callable[[_Reading, Value], None]:
    def read(reading: _Reading, value: Value) -> None:
        reading.calibrators[name] = _choice(value, ("max", HISTOGRAM))

    return read


def _method(reading: _Reading, value: Value) -> None:
    reading.method = _choice(value, METHODS)


def _per_channel(reading: _Reading, value: Value) -> None:
    reading.settings["weight_granularity"] = "per_channel" if value.boolean() else "per_tensor"


def _percentile(reading: _Reading, value: Value) -> None:
    reading.settings["percentile"] = value.number()
    with value.located():
        Recipe(percentile=reading.settings["percentile"])


def _skip_modules(reading: _Reading, value: Value) -> None:
    modules = [] if value.is_empty else list(value.items())
    reading.settings["skip"] = tuple(_module(module) for module in modules)
    for module, chosen in zip(modules, reading.settings["skip"], strict=True):
        reading.note(module, f"The PyTorch module '{module.text()}' is looked for among the nodes as '{chosen}'.")


def _module(value: Value) -> Selector:
    """The nodes that PyTorch exports of a module: ``layer4.0.conv1`` becomes ``/layer4/layer4.0/conv1/Conv``."""
    parts = "/".join(rf"([^/]*\.)?{re.escape(part)}" for part in value.text().split("."))
    return Selector((Condition("re", f"^/?{parts}(/|$)"),), value.origin)


def _verbose(reading: _Reading, value: Value) -> None:
    if value.boolean():
        reading.note(value, "'verbose' is not carried over: give -v.")


def _trains(unless: bool, text: str) -> Callable[[_Reading, Value], None]:
    """A note for a parameter that is about training unless it has this value."""

    def read(reading: _Reading, value: Value) -> None:
        if value.boolean() != unless:
            reading.note(value, f"'{value.name}' is not carried over: {text}")

    return read


def _batches(reading: _Reading, value: Value) -> None:
    if not value.is_empty:
        count = value.whole()
        reading.note(
            value,
            f"'{value.name}' is not carried over: give --num-samples, {count} times the batch size of training.",
        )


_QUANTIZER = _section(
    {
        "calibrator_w": _calibrator("weight_calibrator"),
        "calibrator_i": _calibrator("calibrator"),
        "per_channel": _per_channel,
        "learn_amax": _trains(False, "ranges are measured here, not learned."),
        "skip_modules": _skip_modules,
    },
    "selective_quantizer_params",
)
_CALIBRATION = _section(
    {
        "histogram_calib_method": _method,
        "percentile": _percentile,
        "num_calib_batches": _batches,
        "verbose": _verbose,
    },
    "calib_params",
)
_SECTIONS: Mapping[str, Callable[[_Reading, Value], None]] = {
    "ptq_only": _trains(True, "nothing is trained here, so this is post-training quantization."),
    "selective_quantizer_params": _QUANTIZER,
    "calib_params": _CALIBRATION,
}
_TOP: Mapping[str, Callable[[_Reading, Value], None]] = {
    **_SECTIONS,
    "quantization_params": _section(_SECTIONS, "quantization_params"),
}
