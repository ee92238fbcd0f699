"""A YAML file as values that know their line, so that each error can name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from onnxq.errors import RecipeError

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
_TRUE = ("true", "yes", "on")


@dataclass(frozen=True)
class Value:
    """A part of a YAML file.

    Attributes:
        node: as YAML has it.
        path: of the file.
        name: what messages call it, such as "rest".
    """

    node: yaml.Node
    path: str
    name: str = "The recipe"

    @property
    def origin(self) -> str:
        """The file and the line."""
        return f"{self.path}:{self.node.start_mark.line + 1}"

    def error(self, text: str) -> RecipeError:
        """What is wrong with it, and where."""
        return RecipeError(f"{self.origin}: {text}")

    @contextmanager
    def located(self) -> Iterator[None]:
        """Puts the file and line in front of what is found to be wrong inside."""
        try:
            yield
        except RecipeError as cause:
            raise self.error(str(cause)) from cause

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands there."""
        return self.node.tag == _NULL

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it has items."""
        return isinstance(self.node, yaml.SequenceNode)

    def text(self) -> str:
        """A single value as it is written, whatever YAML takes it for.

        Raises:
            RecipeError: it is a list, has keys, or is empty.
        """
        if not isinstance(self.node, yaml.ScalarNode) or self.is_empty:
            raise self.error(f"{self.name} must be a single value. Got {self._kind()}.")
        return str(self.node.value)

    def number(self) -> float:
        """A number.

        Raises:
            RecipeError: it is none.
        """
        text = self.text()
        try:
            if self.node.tag in (_INT, _FLOAT):
                return int(text) if text.lstrip("+-").isdecimal() else float(text)
        except ValueError:  # one that only YAML knows, such as 0x1f
            pass
        raise self.error(f"{self.name} must be a number. Got '{text}'.")

    def whole(self) -> int:
        """A whole number.

        Raises:
            RecipeError: it is none.
        """
        if isinstance(found := self.number(), int):
            return found
        raise self.error(f"{self.name} must be a whole number. Got '{self.text()}'.")

    def boolean(self) -> bool:
        """True or false.

        Raises:
            RecipeError: it is neither.
        """
        if self.node.tag != _BOOL:
            raise self.error(f"{self.name} must be true or false. Got {self._kind()}.")
        return self.text().lower() in _TRUE

    def items(self) -> Iterator[Value]:
        """The items of a list.

        Raises:
            RecipeError: it is none.
        """
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"{self.name} must be a list: lines that begin with '- '. Got {self._kind()}.")
        return (Value(item, self.path, f"An item of {self.name}") for item in self.node.value)

    def entries(self) -> Iterator[tuple[Value, Value]]:
        """The keys of a mapping with what stands behind each.

        Raises:
            RecipeError: it is none, or has a key twice.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self.name} must have keys and values, such as 'key: value'. Got {self._kind()}.")
        seen: dict[str, str] = {}
        for key, value in self.node.value:
            named = Value(key, self.path, "A key")
            text = named.text()
            if text in seen:
                raise named.error(f"The key '{text}' is there already, in {seen[text]}. Leave out one of both.")
            seen[text] = named.origin
            yield named, Value(value, self.path, text)

    def _kind(self) -> str:
        if self.is_empty:
            return "nothing"
        if isinstance(self.node, yaml.ScalarNode):
            return f"'{self.node.value}'"
        return "keys and values" if self.is_mapping else "a list"


def document(path: Path) -> Value:
    """What is in a YAML file.

    Raises:
        RecipeError: it cannot be read, is no YAML, or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise RecipeError(f"The recipe '{path}' cannot be read: {cause.strerror}.") from cause
    try:
        root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise RecipeError(f"{path}:{line}: This is no text in UTF-8.") from cause
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        raise RecipeError(f"{path}:{mark.line + 1 if mark else 1}: This is no YAML: {cause.problem}.") from cause
    except yaml.reader.ReaderError as cause:
        line = content.decode()[: cause.position].count("\n") + 1
        raise RecipeError(f"{path}:{line}: A YAML file must not hold the character {cause.character!r}.") from cause
    except RecursionError as cause:
        raise RecipeError(f"{path}:1: Its brackets are nested too deeply.") from cause
    if root is None:
        raise RecipeError(f"{path}:1: There is no recipe in it. `onnxq recipe --init MODEL {path}` writes one.")
    return Value(root, str(path))
