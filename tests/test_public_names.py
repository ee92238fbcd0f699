"""What `import onnxq` offers is there, is documented, and matches what is written about it."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import onnxq
from onnxq import errors


def classes() -> dict[str, type[Exception]]:
    """The error classes by name."""
    return {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)}


def drawn() -> dict[str, tuple[str | None, str]]:
    """Each name in the tree of the docstring, with its parent and what stands beside it."""
    found: dict[str, tuple[str | None, str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"([│├└─ ]*)([A-Z]\w+(?:Error|Failure))(?: {2,}(.+))?", line):
            indent, name, text = match.groups()
            depth = len(indent) // 4
            found[name] = (above[depth - 1] if depth else None, text or "")
            above[depth:] = [name]
    return found


def test_every_public_name_exists_once():
    assert len(set(onnxq.__all__)) == len(onnxq.__all__)
    assert [name for name in onnxq.__all__ if not hasattr(onnxq, name)] == []


@pytest.mark.parametrize("name", onnxq.__all__)
def test_every_public_name_is_documented(name):
    doc = (
        vars(getattr(onnxq, name)).get("__doc__")
        if inspect.isclass(getattr(onnxq, name))
        else getattr(onnxq, name).__doc__
    )
    assert doc
    assert doc.strip()[-1] in ".`:"
    assert not doc.startswith(f"{name}("), "dataclasses write such a line where nobody wrote a better one"


def test_every_public_method_is_documented():
    for cls in (getattr(onnxq, name) for name in onnxq.__all__):
        for name, member in vars(cls).items() if inspect.isclass(cls) else ():
            if not name.startswith("_") and (callable(member) or isinstance(member, property | staticmethod)):
                assert inspect.getdoc(member), f"{cls.__name__}.{name}"


def stub() -> ast.Module:
    return ast.parse(Path(onnxq.__file__).with_suffix(".pyi").read_text())


def test_no_name_that_the_stub_imports_is_left_out_of_all():
    imported = {alias.name for node in stub().body if isinstance(node, ast.ImportFrom) for alias in node.names}
    (listed,) = (node.value for node in stub().body if isinstance(node, ast.Assign))
    assert imported == set(ast.literal_eval(listed)) == set(onnxq.__all__)


def test_a_name_is_imported_when_it_is_used():
    code = "import sys, onnxq; before = 'numpy' in sys.modules; onnxq.Plan; print(before, 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="No onnxq attribute quantise"):
        getattr(onnxq, "quant" + "ise")


def test_every_error_can_be_caught_by_its_public_name():
    assert set(classes()) <= set(onnxq.__all__)
    assert all(getattr(onnxq, name) is cls for name, cls in classes().items())


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_classes():
    parents = {n: (c.__base__.__name__ if c.__base__ is not Exception else None) for n, c in classes().items()}
    assert {name: parent for name, (parent, _) in drawn().items()} == parents


def test_every_error_is_described_in_the_tree_and_in_its_class():
    assert [name for name, (_, text) in drawn().items() if not text] == ["OnnxqError"]
    assert [name for name, cls in classes().items() if not cls.__dict__["__doc__"].endswith(".")] == []


@pytest.mark.parametrize("name", classes())
def test_the_exit_code_is_2_for_the_users_mistakes_and_1_for_the_rest(name):
    cls = classes()[name]
    assert cls.exit_code == (2 if issubclass(cls, errors.InputError) else 1)
