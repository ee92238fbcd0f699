"""Reads what images go through: from words of the command line, and from YAML files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from onnxq.catalog import pick
from onnxq.catalog.presets import PRESETS
from onnxq.core.preprocess import Preprocess
from onnxq.errors import RecipeError, near_misses

KEYS = tuple(field.name for field in fields(Preprocess))
PRESET_NAMES = ", ".join(preset.name for preset in PRESETS)
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class _Setting:
    """A field, or "preset", with its value as text."""

    key: str
    text: str


def preprocess_from(tokens: Sequence[str]) -> Preprocess:
    """What `tokens` ask for, such as ``["imagenet", "resize=320x320", "crop=none"]``; of one key, the last wins.

    A preset sets all fields, so it comes first. A YAML file is a mapping of the same keys, and perhaps of ``preset``.

    Args:
        tokens: each the name of a preset, the path of a YAML file, or key=value.

    Raises:
        RecipeError: there is no such preset, key or value, or a file cannot be read.
    """
    if not tokens:
        raise RecipeError(f"Say what images go through: a preset ({PRESET_NAMES}), a YAML file or key=value.")
    chosen: dict[str, Any] = {}
    before = ""
    for setting in (setting for token in tokens for setting in _settings(token)):
        if setting.key == "preset":
            if before:
                raise RecipeError(
                    f"The preset '{setting.text}' would undo '{before}', which precedes it. Put it first."
                )
            chosen = asdict(pick(PRESETS, setting.text, "preset").preprocess)
        else:
            chosen[setting.key] = _PARSERS[setting.key](setting.text)
        before = f"{setting.key}={setting.text}"
    return Preprocess(**chosen)


def _settings(token: str) -> Iterator[_Setting]:
    path = Path(token)
    key, equals, text = token.partition("=")
    if token in (preset.name for preset in PRESETS):
        yield _Setting("preset", token)
    elif path.suffix.lower() in SUFFIXES or path.is_file():
        yield from _read(path)
    elif equals:
        yield _checked(key.strip(), text.strip())
    else:
        raise RecipeError(
            f"'{token}' is no preset, no YAML file and no key=value. Presets: {PRESET_NAMES}. Keys: {', '.join(KEYS)}."
            f"{near_misses(token, (preset.name for preset in PRESETS))}"
        )


def _read(path: Path) -> Iterator[_Setting]:
    """The settings in a YAML file, its preset first."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as cause:
        line = f", line {cause.problem_mark.line + 1}" if cause.problem_mark else ""
        raise RecipeError(f"'{path}'{line} is no YAML: {cause.problem}.") from cause
    except (OSError, ValueError, yaml.YAMLError) as cause:  # YAMLError: a character that no YAML file may hold
        raise RecipeError(f"'{path}' cannot be read: {str(cause).splitlines()[0]}.") from cause
    if not isinstance(found, dict):
        raise RecipeError(f"'{path}' must hold keys and values such as 'resize: 256'. Got {found!r}.")
    for key in sorted(found, key=lambda key: key != "preset"):
        try:
            yield _checked(str(key), _text(str(key), found[key]))
        except RecipeError as cause:
            raise RecipeError(f"{cause} This is in '{path}'.") from cause


def _checked(key: str, text: str) -> _Setting:
    if key not in ("preset", *KEYS):
        raise RecipeError(f"Unknown key '{key}' of the preprocessing. Keys: {', '.join(KEYS)}.{near_misses(key, KEYS)}")
    return _Setting(key, text)


def _text(key: str, value: Any) -> str:
    """What the command line would say for a value of YAML."""
    if isinstance(value, list):
        return ("x" if key in ("resize", "crop") else ",").join(map(str, value))
    return "none" if value is None else str(value)


# One function for each kind of field: text -> value. What it does not understand stays text, which Preprocess refuses.


def _word(text: str) -> str:
    return text.lower()


def _whole(text: str) -> int | str | None:
    return None if text.lower() == "none" else int(text) if re.fullmatch(r"\d+", text) else text


def _size(text: str) -> int | tuple[int, ...] | str | None:
    sides = re.fullmatch(r"(\d+) ?[xX] ?(\d+)", text)
    return tuple(map(int, sides.groups())) if sides else _whole(text)


def _number(text: str) -> float | str:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return text


def _numbers(text: str) -> tuple[float | str, ...]:
    return tuple(_number(part.strip()) for part in text.split(","))


_PARSERS: dict[str, Callable[[str], Any]] = {
    "resize": _size,
    "crop": _size,
    "letterbox": _whole,
    "interpolation": _word,
    "color": _word,
    "scale": _number,
    "mean": _numbers,
    "std": _numbers,
    "layout": _word,
}
