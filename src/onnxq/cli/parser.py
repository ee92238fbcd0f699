"""The parser of the command line, which imports the module of the command that is called, and no other."""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from onnxq import __version__
from onnxq.cli.commands import GROUPS, Command
from onnxq.cli.interruption import ends_at_once

DESCRIPTION = "INT8 quantization of ONNX models for TensorRT."
MORE = "`onnxq COMMAND --help` explains a command and its options."


class CommandParser(argparse.ArgumentParser):
    """The parser of one command. It has no options until it is asked to parse, or `fill` is called."""

    def __init__(self, command: Command, **how: Any) -> None:
        super().__init__(
            description=command.text,
            epilog=f"example: {command.example}{command.then}",
            allow_abbrev=False,
            **how,
        )
        self._command = command
        self._is_filled = False

    def fill(self) -> None:
        """Imports the command, and adds its options."""
        if not self._is_filled:
            self._is_filled = True
            with ends_at_once(), _keeping_all():
                module = import_module(f"onnxq.cli.{self._command.name}")
            self.add_argument("--debug", action="store_true", help="show the traceback of an error")
            module.add_options(self)
            self.set_defaults(run=module.run)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See ArgumentParser."""
        self.fill()
        return super().parse_known_args(args, namespace)


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Imports make no garbage: to look for it takes a tenth of their time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Parser(argparse.ArgumentParser):
    """The parser of everything.

    Attributes:
        commands: the parser of each command.
    """

    def __init__(self) -> None:
        super().__init__(prog="onnxq", description=DESCRIPTION, allow_abbrev=False)
        self.add_argument("--version", action="version", version=f"onnxq {__version__}")
        actions = self.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=CommandParser)
        self.commands: dict[str, CommandParser] = {
            command.name: actions.add_parser(command.name, help=command.text, command=command)
            for group in GROUPS
            for command in group.commands
        }

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See ArgumentParser; the options that are returned have the whole `command_line` as well."""
        given = sys.argv[1:] if args is None else args
        return super().parse_args(given, namespace or argparse.Namespace(command_line=shlex.join(["onnxq", *given])))

    def format_help(self) -> str:
        """The commands in groups, an example for each."""
        width = max(map(len, self.commands)) + 4
        lines = [self.format_usage(), DESCRIPTION]
        for group in GROUPS:
            lines += ["", f"{group.title}:"]
            for command in group.commands:
                lines += [f"  {command.name:{width - 2}}{command.text}", f"{'':{width}}$ {command.example}"]
        return "\n".join([*lines, "", MORE, "`onnxq --version` tells the version.", ""])
