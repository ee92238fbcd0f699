"""Options that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from onnxq.catalog import pick
from onnxq.catalog.fixes import fixes_of
from onnxq.catalog.floats import FLOATS
from onnxq.catalog.recipes import RECIPES
from onnxq.catalog.targets import TARGETS
from onnxq.core.execution import Execution
from onnxq.core.observer import Observer
from onnxq.core.recipe import AUTO, Recipe
from onnxq.core.samples import Samples
from onnxq.core.selector import Selector
from onnxq.data.preprocess import preprocess_from
from onnxq.errors import PlanError
from onnxq.pipeline import load_calibration_cache, load_recipe

SKIP_HELP = (
    "(behind IN and OUT) leave nodes in float: a name, a glob such as '/layer1/*', a regular expression "
    "'re:head|neck', an operator 'op:Gemm', a path 'from:a & to:b', a pattern 'Conv -> Sigmoid', a position "
    "'position:last 2', few 'channels:<16', convolutions in groups 'is:grouped'; one that matches nothing is an error"
)
INCLUDE_HELP = (
    "(behind IN and OUT) quantize nodes although the target advises against it; selectors as for --skip, and what the "
    "engine would refuse is an error"
)
CALIB_HELP = (
    "typical inputs: an npz file of arrays named after the inputs, a folder of npz, npy or image files, of ONNX "
    "test_data_set folders, a Polygraphy loader script (FILE.py or FILE.py:FUNCTION) or JSON file"
)
PREPROCESS_HELP = (
    "(behind IN and OUT) how images become inputs: a preset such as imagenet, a YAML file, and key=value pairs such as "
    "resize=256 crop=224 mean=0.485,0.456,0.406"
)
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def add_model(command: argparse.ArgumentParser) -> None:
    """Which model, which recipe, which target, and what to leave out."""
    command.add_argument("model", metavar="IN", help="the FP32 ONNX model; it is only read")
    add_target(command)
    add_recipe(command)
    command.add_argument("--skip", nargs="+", action="extend", default=[], metavar="SELECTOR", help=SKIP_HELP)
    command.add_argument("--include", nargs="+", action="extend", default=[], metavar="SELECTOR", help=INCLUDE_HELP)


def add_target(command: argparse.ArgumentParser) -> None:
    """Which engine."""
    names = ", ".join(target.name for target in TARGETS)
    command.add_argument("--target", metavar="NAME", help=f"{names}; default: {Recipe.target}")


def add_recipe(command: argparse.ArgumentParser) -> None:
    """What other options are taken from."""
    group = command.add_mutually_exclusive_group()
    group.add_argument(
        "--recipe", type=Path, metavar="FILE", help="obey a recipe in YAML; options given beside it override its keys"
    )
    names = ", ".join(preset.name for preset in RECIPES)
    group.add_argument("--preset", metavar="NAME", help=f"obey a recipe that comes with onnxq: {names}")


def add_rest(group: argparse._ActionsContainer) -> None:
    """The type of what is not quantized."""
    text = "; ".join(f"{low.name}: {low.doc}" for low in FLOATS)
    group.add_argument(
        "--rest", metavar="TYPE", help=f"the type of what is not quantized ({text}); default: the target's"
    )


def add_plan(group: argparse._ActionsContainer) -> None:
    """A plan of the user's own."""
    group.add_argument("--plan", type=Path, metavar="FILE", help="obey a plan that `onnxq plan --json` wrote")


def add_samples(group: argparse._ActionsContainer, required: bool) -> None:
    """Which data, and how to read them."""
    group.add_argument("--calib", required=required, metavar="DATA", help=CALIB_HELP)
    group.add_argument("--num-samples", type=int, metavar="N", help="use the first N calibration samples only")
    group.add_argument("--preprocess", nargs="+", action="extend", default=[], metavar="HOW", help=PREPROCESS_HELP)


def add_execution(command: argparse.ArgumentParser) -> None:
    """How models are run."""
    group = command.add_argument_group("execution (changes no result)")
    group.add_argument("--batch-size", type=int, metavar="N", help="samples per inference; default: up to 32")
    group.add_argument(
        "--max-memory",
        type=size,
        metavar="SIZE",
        help="what tensors fetched from the model may take at a time, such as 256MB; more are taken in several passes; "
        "default: an eighth of the machine's memory, at most 256MiB",
    )
    group.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME",
        help="an ONNX Runtime execution provider, such as cuda; may be repeated; default: cpu",
    )
    group.add_argument(
        "--session-option",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="an ONNX Runtime session option, such as intra_op_num_threads=4; may be repeated",
    )


def add_talk(command: argparse.ArgumentParser, what: str, verbose: str) -> None:
    """How much is printed."""
    talk = command.add_argument_group("output").add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help=f"print {what} as JSON")
    talk.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    talk.add_argument("-v", "--verbose", action="store_true", help=verbose)


def recipe(options: argparse.Namespace, observer: Observer) -> Recipe:
    """The recipe of --recipe or --preset with what other options say, which add_model and others asked for.

    Raises:
        RecipeError: the recipe cannot be read, or an option has no such value.
    """
    begun = _begun(options, observer)
    given = {name: value for name in _FIELDS if (value := getattr(options, name, None)) is not None}
    if (types := getattr(options, "io_types", None)) is not None:
        given["low_io"] = types == "low"
    if getattr(options, "no_int8", False):
        given["int8"] = False
    if cache := getattr(options, "tensorrt_cache", None):
        given["cache"] = load_calibration_cache(cache)
    if (fixes := getattr(options, "fixes", None)) is not None:
        given["fixes"] = named_fixes(fixes)
    skip, include = (tuple(map(Selector.of, texts)) for texts in (options.skip, options.include))
    return replace(begun, **given).amended(skip, include)


def named_fixes(text: str) -> Sequence[str]:
    """The names that --fixes has; "auto" as it is.

    Raises:
        RecipeError: there is no fix of some name.
    """
    if text in (AUTO, "none"):
        return AUTO if text == AUTO else ()
    return tuple(fix.name for fix in fixes_of(tuple(name.strip() for name in text.split(","))))


def _begun(options: argparse.Namespace, observer: Observer) -> Recipe:
    if options.recipe is not None:
        return load_recipe(options.recipe, observer)
    return pick(RECIPES, options.preset, "preset").recipe if options.preset is not None else Recipe()


_FIELDS = ("target", "calibrator", "weight_calibrator", "percentile", "labels", "rest", "seed")
"""Options that are fields of a recipe, and None where they were not given."""


def samples(options: argparse.Namespace, data: str | None, first: int | None = None) -> Samples | None:
    """`data`, read as --preprocess asks."""
    if data is None:
        return None
    return Samples(data, preprocess_from(options.preprocess) if options.preprocess else None, first)


def given_samples(options: argparse.Namespace) -> Samples:
    """The calibration samples, where they are required."""
    found = samples(options, options.calib, options.num_samples)
    assert found is not None  # the parser asked for them
    return found


def execution(options: argparse.Namespace, observer: Observer) -> Execution:
    """What the options of `add_execution` ask for."""
    return Execution(
        batch_size=options.batch_size,
        max_memory=options.max_memory,
        providers=options.provider,
        session_options=dict(options.session_option),
        observer=observer,
        jobs=getattr(options, "jobs", None),
        time_limit=getattr(options, "time_limit", None),
    )


def plan_text(options: argparse.Namespace) -> str | None:
    """The plan that --plan names.

    Raises:
        PlanError: it cannot be read.
    """
    if options.plan is None:
        return None
    try:
        return str(options.plan.read_text())
    except (OSError, UnicodeDecodeError) as cause:
        raise PlanError(f"The plan '{options.plan}' cannot be read: {cause}.") from cause


def script_path(data: str) -> Path:
    """The file that a data argument names, without the function of a loader script."""
    return Path(re.sub(r"\.py:[^:/\\]+$", ".py", data))


def inputs_of(options: argparse.Namespace, names: Sequence[str]) -> tuple[Path, ...]:
    """The files that a command reads."""
    given = (getattr(options, name) for name in names)
    return tuple(script_path(str(path)) for path in given if path is not None)


def size(text: str) -> int:
    """Bytes, from text such as 256MB.

    Raises:
        ArgumentTypeError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?)b?", text.strip().lower())
    if not found or found[2] not in UNITS or not (count := int(float(found[1]) * UNITS[found[2]])):
        raise argparse.ArgumentTypeError(f"'{text}' is no size. Give one such as 256MB or 1.5GiB.")
    return count


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is no session option. Give one as NAME=VALUE.")
    return name, value
