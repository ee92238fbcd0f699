"""The keys of a recipe, each with how it is read and written: the whole schema as two tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxq.catalog import Named, pick
from onnxq.catalog.calibrators import calibrator_of
from onnxq.catalog.fixes import FIXES, fixes_of
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.formats import FORMATS
from onnxq.catalog.targets import TARGETS
from onnxq.core.recipe import AUTO
from onnxq.core.rule import Rule
from onnxq.core.selector import Condition, Selector
from onnxq.errors import RecipeError, near_misses
from onnxq.recipes.document import Value

VERSION = 1


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        field: of the Recipe or Rule that it sets.
        read: makes the field's value of what stands behind the key; raises RecipeError with file and line.
        doc: a line for people.
        write: makes plain data of the field's value again.
    """

    field: str
    read: Callable[[Value], Any]
    doc: str
    write: Callable[[Any], Any] = lambda value: value


def known_key(key: Value, keys: Mapping[str, Key], what: str) -> Key:
    """The row of the table that `key` names.

    Raises:
        RecipeError: there is none.
    """
    name = key.text()
    if name not in keys:
        raise key.error(f"Unknown key '{name}' of {what}. Keys: {', '.join(keys)}.{near_misses(name, keys)}")
    return keys[name]


# One function for each kind of value.


def _version(value: Value) -> int:
    if value.text() != str(VERSION):
        raise value.error(f"The version of a recipe is {VERSION}. Got '{value.text()}'.")
    return VERSION


def _one_of(shelf: Iterable[Named], kind: str) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        text = value.text()
        with value.located():
            return pick(shelf, text, kind).name

    return read


def _calibrator(value: Value) -> str:
    text = value.text()
    with value.located():
        calibrator_of(text)
    return text


def _fixes(value: Value) -> Sequence[str]:
    if not value.is_list and (text := value.text()) != AUTO:
        raise value.error(f"{value.name} is {AUTO}, or a list of names. Got '{text}': write [{text}].")
    names = AUTO if not value.is_list else tuple(item.text() for item in value.items())
    with value.located():
        fixes_of(names)
    return names


def _io_types(value: Value) -> bool:
    if (text := value.text()) not in ("keep", "low"):
        raise value.error(f"Unknown io_types '{text}'. Choose one of: keep, low.")
    return text == "low"


def selector(value: Value) -> Selector:
    """A selector from its text, or from conditions as keys and values.

    Raises:
        RecipeError: it is neither.
    """
    if not value.is_mapping:
        text = value.text()
        with value.located():
            return Selector.of(text, value.origin)
    asked = [(key, key.text(), _single(condition)) for key, condition in value.entries()]
    conditions = []
    for key, name, text in asked:
        with key.located():
            conditions.append(Condition(name, text))
    with value.located():
        return Selector(tuple(conditions), value.origin)


def _single(value: Value) -> str:
    if value.is_list:
        raise value.error(f"'{value.name}' of a selector has one value. For several, write several selectors.")
    return value.text()


def _selectors(value: Value) -> tuple[Selector, ...]:
    return tuple(selector(item) for item in value.items())


def _selector_data(chosen: Selector | str) -> Any:
    """A selector's text; its conditions where the text would be read as something else."""
    if isinstance(chosen, str) or chosen.is_text:
        return str(chosen)
    data = {condition.key: condition.value for condition in chosen.conditions}
    if len(data) < len(chosen.conditions):
        raise RecipeError(
            f"The selector '{chosen}' has no spelling in a file: it has ' & ' in a value, and a key twice."
        )
    return data


def _selectors_data(chosen: Iterable[Selector | str]) -> list[Any]:
    return [_selector_data(one) for one in chosen]


def _rules(value: Value) -> tuple[Rule, ...]:
    return tuple(_rule(item) for item in value.items())


def _rule(value: Value) -> Rule:
    said: dict[str, Any] = {}
    for key, setting in value.entries():
        row = known_key(key, RULE_KEYS, "a rule")
        said[row.field] = row.read(setting)
    if "select" not in said:
        raise value.error(f"A rule needs the key 'select': the nodes that it is for. Got {', '.join(said) or 'none'}.")
    with value.located():
        return Rule(**said)


def _rules_data(rules: Iterable[Rule]) -> list[Any]:
    return [_rule_data(rule) for rule in rules]


def _rule_data(rule: Rule) -> dict[str, Any]:
    said = {name: getattr(rule, key.field) for name, key in RULE_KEYS.items()}
    return {name: RULE_KEYS[name].write(value) for name, value in said.items() if value is not None}


def _residuals(value: Value) -> dict[str, int | None]:
    return {name.text(): _shortcut(shortcut) for name, shortcut in value.entries()}


def _tensors(value: Value) -> dict[str, str]:
    return {name.text(): _calibrator(calibrator) for name, calibrator in value.entries()}


def _shortcut(value: Value) -> int | None:
    if value.is_empty or (text := value.text()) == "none":
        return None
    if text not in ("0", "1"):
        raise value.error(f"The shortcut of '{value.name}' is operand 0 or 1, or none. Got '{text}'.")
    return int(text)


def _residuals_data(residuals: Mapping[str, int | None]) -> dict[str, Any]:
    return {name: "none" if shortcut is None else shortcut for name, shortcut in residuals.items()}


_REST = _one_of(FLOATS, "type of the rest")

RECIPE_KEYS: Mapping[str, Key] = {
    "onnxq_recipe": Key("", _version, "the version of this format"),
    "target": Key("target", _one_of(TARGETS, "target"), ", ".join(target.name for target in TARGETS)),
    "int8": Key("int8", Value.boolean, "false only converts the rest"),
    "rest": Key("rest", _REST, f"the type of what is not quantized: {', '.join(low.name for low in FLOATS)}"),
    "io_types": Key(
        "low_io",
        _io_types,
        "whether inputs and outputs keep their type, or have that of the rest: keep, low",
        lambda low: "low" if low else "keep",
    ),
    "format": Key("format", _one_of(FORMATS, "format"), "of activations"),
    "granularity": Key("granularity", Value.text, "of activations: per_tensor"),
    "calibrator": Key("calibrator", _calibrator, "of activations: mse, entropy, max, 'percentile 99.9', auto"),
    "weight_format": Key("weight_format", _one_of(FORMATS, "format"), "of weights"),
    "weight_granularity": Key("weight_granularity", Value.text, "of weights: per_channel, per_tensor"),
    "weight_calibrator": Key("weight_calibrator", _calibrator, "of weights: max, mse, entropy, percentile"),
    "percentile": Key("percentile", Value.number, "what a calibrator 'percentile' keeps that does not say it itself"),
    "tensorrt_cache": Key("cache", Value.text, "a calibration cache of TensorRT 7 to 10, beside this file"),
    "fixes": Key(
        "fixes",
        _fixes,
        f"what is done so that less is lost: auto, or some of {', '.join(fix.name for fix in FIXES)}",
        lambda names: names if names == AUTO else list(names),
    ),
    "labels": Key("labels", Value.text, "the array of the evaluation data that holds class numbers"),
    "seed": Key("seed", Value.whole, "chooses the samples of fidelity, where there are no evaluation data"),
    "rules": Key("rules", _rules, "settings for some nodes; the most specific rule wins, then the later", _rules_data),
    "include": Key("include", _selectors, "nodes that are quantized against the target's advice", _selectors_data),
    "skip": Key("skip", _selectors, "nodes that stay in float", _selectors_data),
    "tensors": Key("tensors", _tensors, "calibrators of single activations, whatever rules say of their readers", dict),
    "residuals": Key(
        "residuals",
        _residuals,
        "the operand (0 or 1) of single residual joins that is read as INT8, or none",
        _residuals_data,
    ),
}
"""All keys of a recipe, in the order in which they are written."""

RULE_KEYS: Mapping[str, Key] = {
    "select": Key("select", selector, "the nodes", _selector_data),
    "calibrator": Key("calibrator", _calibrator, "of the activations that they read"),
    "percentile": Key("percentile", Value.number, "for a calibrator 'percentile'"),
    "weight_calibrator": Key("weight_calibrator", _calibrator, "of their weights"),
    "weight_granularity": Key("weight_granularity", Value.text, "per_channel or per_tensor"),
    "skip": Key("skip", Value.boolean, "true leaves them in float"),
    "include": Key("include", Value.boolean, "true quantizes them although the target advises against it"),
    "rest": Key("rest", _REST, "fp32 keeps them in FP32 where they are not quantized"),
}
"""All keys of a rule."""
