"""`onnxq build`: an ONNX model in, a TensorRT engine out."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from onnxq import files
from onnxq.cli import options as shared
from onnxq.cli.output import NARROW, WIDE, console
from onnxq.cli.progress import Bar
from onnxq.core.build_options import BuildOptions, Profile
from onnxq.core.samples import Samples
from onnxq.errors import OutputError, RecipeError
from onnxq.pipeline.building import Built, built
from onnxq.reports.layers import layers_json, layers_table, verdict
from onnxq.runtimes.tensorrt import PACKAGES


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    command.add_argument("model", metavar="MODEL", help="an ONNX model, usually with Q/DQ; it is only read")
    command.add_argument("output", metavar="ENGINE", type=Path, help="where the engine goes")
    add_builder(command)
    how = command.add_argument_group("engine")
    how.add_argument("--timing-cache", type=Path, metavar="FILE", help="what builds have measured: read, and written")
    how.add_argument("--workspace", type=shared.size, metavar="SIZE", help="GPU memory that a kernel may use, as 1GiB")
    how.add_argument("--version-compatible", action="store_true", help="later versions of TensorRT must run it too")
    how.add_argument("--hardware-compatible", action="store_true", help="other GPUs, from Ampere on, must run it too")
    shared.add_talk(command, "the layers", "show every layer")


def add_builder(command: argparse.ArgumentParser) -> None:
    """Who builds, for what."""
    group = command.add_argument_group("builder")
    group.add_argument(
        "--backend",
        metavar="NAME",
        help=f"{' or '.join(PACKAGES)}; default: of what is installed, the first where a GPU answers, else the second",
    )
    group.add_argument(
        "--compute-capability",
        nargs="+",
        action="extend",
        default=[],
        metavar="X.Y",
        help="GPUs to build for, with TensorRT for RTX; default: the one in this machine (current), else 8.9",
    )
    group.add_argument(
        "--shapes",
        nargs="+",
        action="extend",
        default=[],
        metavar="INPUT:MIN:OPT:MAX",
        help="shapes of an input with free dimensions, or INPUT:SHAPE; default: batches of 1 to 32, best at 8",
    )
    group.add_argument("--calib", metavar="DATA", help="samples, whose shapes must fit; --shapes goes before them")
    group.add_argument(
        "--preprocess", nargs="+", action="extend", default=[], metavar="HOW", help=shared.PREPROCESS_HELP
    )
    group.add_argument(
        "--plugins",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FILE.so",
        help="libraries with plugins for operators that TensorRT lacks",
    )


def builder_options(options: argparse.Namespace) -> BuildOptions:
    """What the options of `add_builder` ask for."""
    return BuildOptions(
        backend=options.backend,
        compute_capabilities=tuple(options.compute_capability),
        profiles=Profile.from_texts(options.shapes),
        plugins=tuple(options.plugins),
    )


def shape_samples(options: argparse.Namespace) -> Samples | None:
    """The samples whose shapes must fit.

    Raises:
        RecipeError: it is said how to read them, but not where they are.
    """
    if options.preprocess and options.calib is None:
        raise RecipeError("--preprocess does nothing without --calib. Give both.")
    return shared.samples(options, options.calib)


def run(options: argparse.Namespace) -> None:
    """Builds and writes an engine."""
    _check_outputs(options)
    how = replace(
        builder_options(options),
        timing_cache=_timing_cache(options.timing_cache),
        workspace=options.workspace,
        version_compatible=options.version_compatible,
        hardware_compatible=options.hardware_compatible,
    )
    with Bar(options.quiet or options.json, options.verbose) as bar:
        bar.begin("build")
        made = built(Path(options.model), how, shape_samples(options), bar)
        bar.begin("write")
        files.write(options.output, made.engine.content)
        if options.timing_cache:
            files.write(options.timing_cache, made.engine.timing_cache)
    if options.json:
        print(layers_json(made.plan), end="")
    elif not options.quiet:
        _print(made, options)


def _print(made: Built, options: argparse.Namespace) -> None:
    out = console(WIDE if options.verbose else NARROW)
    out.print(f"{made.engine.title}: {len(made.engine.content) / 1e6:.1f} MB in '{options.output}'.", soft_wrap=True)
    if made.plan.layers:
        if len(options.compute_capability) > 1:
            out.print("TensorRT tells the layers of one of these GPUs:")
        out.print(
            layers_table(made.plan, True) if options.verbose else verdict(made.plan), soft_wrap=not options.verbose
        )


def _check_outputs(options: argparse.Namespace) -> None:
    outputs = [path for path in (options.output, options.timing_cache) if path is not None]
    for given in shared.inputs_of(options, ("model", "calib")):
        for output in outputs:
            files.check_output(given, output)
    if len({output.resolve() for output in outputs}) < len(outputs):
        raise OutputError(f"The engine and the timing cache are one file, '{options.output}'. Give two names.")


def _timing_cache(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as cause:
        raise OutputError(f"The timing cache '{path}' cannot be read: {cause.strerror}.") from cause
