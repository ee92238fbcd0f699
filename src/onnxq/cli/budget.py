"""The options of `onnxq quantize` that say what may be lost.

How a search is reported is imported when there was one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import RenderableType

from onnxq import files
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.budget import Budget, Outcome
from onnxq.core.recipe import Recipe
from onnxq.errors import OutputError, RecipeError
from onnxq.pipeline.course import SECONDS

KINDS = (".csv", ".svg", ".png")


def add_budget(command: argparse.ArgumentParser) -> None:
    """What may be lost, and how hard it is tried."""
    group = command.add_argument_group("budget: leave in float what must be, and no more")
    what = group.add_mutually_exclusive_group()
    what.add_argument(
        "--max-drop",
        metavar="DROP",
        help="how much lower than FP32's the metric may be: a share such as 0.5%%, or a number in its unit",
    )
    what.add_argument("--min-sqnr", type=float, metavar="DB", help="the lowest SQNR of any output, in dB")
    group.add_argument(
        "--metric",
        metavar="NAME",
        help=f"for --max-drop: {TOP1.name} (default), agreement, cosine, or FILE.py:FUNCTION for one of your own",
    )
    group.add_argument("--best-effort", action="store_true", help="write the closest if the budget cannot be kept")
    group.add_argument(
        "--time-limit",
        type=float,
        metavar="S",
        help=f"stop searching, and trying --fixes, after so many seconds; default: {SECONDS:.0f} for --fixes auto",
    )
    group.add_argument(
        "--front", type=Path, metavar="FILE", help="accuracy against compute in INT8, as .csv, .svg or .png"
    )


def budget_of(options: argparse.Namespace) -> Budget | None:
    """The budget that is asked for, None if there is none.

    Raises:
        RecipeError: an option does nothing, or has no such value.
        OutputError: the front cannot be written as what it is called.
    """
    _check(options)
    how = {"best_effort": options.best_effort, "seconds": options.time_limit}
    if options.min_sqnr is not None:
        return Budget(SQNR.name, floor=options.min_sqnr, **how)
    if options.max_drop is None:
        return None
    drop, relative = Budget.drop_of(options.max_drop)
    return Budget(options.metric or TOP1.name, drop=drop, relative=relative, **how)


def check_time_limit(options: argparse.Namespace, recipe: Recipe) -> None:
    """Refuses a time limit that does nothing.

    Raises:
        RecipeError: there is nothing that it could end.
    """
    if options.time_limit is not None and options.max_drop is None and options.min_sqnr is None and not recipe.fixes:
        raise RecipeError(
            "--time-limit does nothing without a budget or fixes. Give --max-drop, --min-sqnr or --fixes."
        )


def budget_table(outcome: Outcome, verbose: bool) -> RenderableType:
    """What a search came to, for people."""
    from onnxq.reports.front import outcome_table  # noqa: PLC0415

    return outcome_table(outcome, verbose)


def write_front(outcome: Outcome, path: Path, model: str) -> None:
    """Writes the front as its name says."""
    from onnxq.reports.chart import front_chart  # noqa: PLC0415
    from onnxq.reports.front import front_csv  # noqa: PLC0415

    if path.suffix == ".csv":
        files.write(path, front_csv(outcome).encode())
    else:
        files.write(path, front_chart(outcome, path.suffix[1:], model))


def _check(options: argparse.Namespace) -> None:
    if options.max_drop is None and options.min_sqnr is None:
        given = {"--metric": options.metric, "--best-effort": options.best_effort or None}
        given["--front"] = options.front
        if idle := [name for name, value in given.items() if value is not None]:
            raise RecipeError(f"{idle[0]} does nothing without a budget. Give --max-drop or --min-sqnr.")
    if options.min_sqnr is not None and options.metric is not None:
        raise RecipeError("--min-sqnr is a budget of SQNR. Leave out --metric, or give --max-drop.")
    if (options.max_drop or options.min_sqnr is not None) and options.plan is not None:
        raise RecipeError("A plan says what is in float, and leaves nothing to search. Leave out --plan or the budget.")
    if options.front is not None:
        if options.front.suffix not in KINDS:
            raise OutputError(f"The front '{options.front}' must end in {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
        if options.front.suffix != ".csv":
            from onnxq.reports.chart import check_plots  # noqa: PLC0415

            check_plots()
