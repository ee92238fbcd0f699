"""The house rules that no linter knows: sizes, shelves, names, and who may print."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "onnxq"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE, LONGEST_BODY = 300, 40
NO_NAMES = {"utils", "helpers", "common", "misc"}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
class TestEveryModule:
    def test_it_is_short(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= LONGEST_MODULE

    def test_its_functions_are_short(self, path: Path) -> None:
        for function in functions(path):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            lines = function.end_lineno - body[0].lineno + 1 if body and function.end_lineno else 0
            assert lines <= LONGEST_BODY, f"{function.name} has {lines} lines"

    def test_it_says_what_room_it_is(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_text()))

    def test_its_name_is_a_noun_or_a_verb_of_the_field(self, path: Path) -> None:
        assert not {part.removesuffix(".py") for part in path.relative_to(SOURCE).parts} & NO_NAMES

    def test_only_the_command_line_and_the_border_to_users_code_catch_everything(self, path: Path) -> None:
        if path.is_relative_to(SOURCE / "cli") or path == SOURCE / "data" / "user_code.py":
            return
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                assert not (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))


def test_the_average_module_has_about_a_hundred_lines() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FILES) / len(FILES) <= 110
