"""Recipes as YAML text: plain, or with comments for one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from onnxq.core.recipe import Recipe
from onnxq.recipes.keys import RECIPE_KEYS, RULE_KEYS, VERSION, Key

WIDE = 1 << 20
"""Columns: no line is broken."""

BREAKS = frozenset("\n\r\x85\u2028\u2029")

SELECTORS = """
A selector names nodes: a name, a glob '/layer1/*', 're:layer[34]', 'op:Gemm', 'from:a & to:b', 'channels:<16',
'Conv -> Sigmoid -> Mul', 'position:last 2', 'position:last_before_output', 'is:depthwise'; ' & ' joins conditions."""


@dataclass(frozen=True)
class Outline:
    """What a commented recipe says of its model.

    Attributes:
        model: its name.
        operators: a line for each operator.
        candidates: key of the recipe -> lines that show what could stand there.
    """

    model: str
    operators: Sequence[str]
    candidates: Mapping[str, Sequence[str]]


def recipe_text(recipe: Recipe, cache: str | None = None) -> str:
    """The recipe as YAML; keys that hold nothing are left out.

    Args:
        recipe: read back, it is equal, but for its cache.
        cache: the file of its calibration cache, as the YAML file should name it.

    Raises:
        RecipeError: a selector cannot be spelled in a file.
    """
    found = ((name, _data(recipe, key, cache)) for name, key in RECIPE_KEYS.items())
    return "".join(yaml_text({name: data}) for name, data in found if data not in (None, [], {}))


def commented_text(recipe: Recipe, outline: Outline) -> str:
    """The recipe with every key explained, and with what could be said of a model."""
    lines = [f"# How onnxq quantizes {outline.model}: `onnxq quantize --recipe` obeys it.", "#", "# Its operators:"]
    lines += [f"#   {line}" for line in outline.operators]
    lines += ["#", "# A selector names nodes: a name, a glob '/layer1/*', 're:layer[34]', 'op:Gemm', 'from:a & to:b',"]
    lines += ["# 'Conv -> Sigmoid -> Mul', 'position:last 2', 'channels:<16', 'is:depthwise'; ' & ' joins conditions."]
    for name, key in RECIPE_KEYS.items():
        data = _data(recipe, key, None)
        shown = yaml_text({name: data}).rstrip() if data is not None else f"# {name}:"
        if isinstance(data, list | dict):
            lines += ["", f"# {key.doc[0].upper()}{key.doc[1:]}.", shown]
        else:
            lines.append(f"{shown}  # {key.doc}")
        lines += [f"# {line}".rstrip() for line in outline.candidates.get(name, ())]
        if name == "rules":
            lines += ["# The keys of a rule:", *(f"#   {name}: {key.doc}" for name, key in RULE_KEYS.items())]
    return "\n".join(lines) + "\n"


def yaml_text(data: object) -> str:
    """Plain data as YAML, one value to a line."""
    return str(
        yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDE, default_flow_style=False)
    )


class _Dumper(yaml.SafeDumper):
    """Escapes what PyYAML otherwise writes as a line break that it reads as another one."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    breaks = not BREAKS.isdisjoint(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if breaks else None)


_Dumper.add_representer(str, _text)


def _data(recipe: Recipe, key: Key, cache: str | None) -> Any:
    if not key.field:
        return VERSION
    return cache if key.field == "cache" else key.write(getattr(recipe, key.field))
