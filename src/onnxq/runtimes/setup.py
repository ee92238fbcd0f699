"""Where and how ONNX Runtime runs a model: execution providers and session options, checked by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import onnxruntime as ort

from onnxq.core.execution import Execution
from onnxq.errors import RecipeError, near_misses

CPU = "CPUExecutionProvider"
_SUFFIX = "ExecutionProvider"
_CUSTOM_OPERATORS = "register_custom_ops_library"
_QUIET = 4  # fatal messages only: failures reach the caller as exceptions


@dataclass(frozen=True)
class Setup:
    """How a session is set up.

    Attributes:
        providers: ONNX Runtime's execution providers, the CPU last.
        options: ONNX Runtime's session options, or configuration entries if there is a dot in the name.
        threads: how many threads compute one inference; 0 for all cores.
        as_written: compute Q/DQ as they are written, instead of fusing them into integer kernels.
        reuses_memory: keep what an inference has freed for the next one: faster, and the peak is never given back.
        shares_memory: take memory from one pool for all sessions that do, and keep it there: for many small sessions.
    """

    providers: tuple[str, ...] = (CPU,)
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 0
    as_written: bool = False
    reuses_memory: bool = False
    shares_memory: bool = False

    @staticmethod
    def of(execution: Execution) -> Setup:
        """The setup that was asked for.

        Raises:
            RecipeError: ONNX Runtime has no such provider or option, or not on this machine.
        """
        wanted = tuple(_provider(name) for name in execution.providers)
        setup = Setup(
            providers=(*(name for name in wanted if name != CPU), CPU), options=tuple(execution.session_options.items())
        )
        setup.session_options()  # checks them before any work is done
        return setup

    def session_options(self) -> ort.SessionOptions:
        """As ONNX Runtime takes them."""
        options = ort.SessionOptions()
        options.log_severity_level = _QUIET
        options.intra_op_num_threads = self.threads
        options.enable_mem_pattern = False  # it costs memory, and saves no time here
        options.enable_cpu_mem_arena = self.reuses_memory or self.shares_memory
        if self.shares_memory:
            _fill_pool()
            options.add_session_config_entry("session.use_env_allocators", "1")
        if self.as_written:  # integer kernels round biases to 32 bits, in which those of nearly dead channels overflow
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        for name, value in self.options:
            _set(options, name, value)
        return options


@cache
def _fill_pool() -> None:
    """Makes the pool that sessions share: once for the process, as ONNX Runtime wants it."""
    ort.create_and_register_allocator(
        ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT), None
    )


def _provider(name: str) -> str:
    """ONNX Runtime's name of the provider "cuda", "CUDA" or "CUDAExecutionProvider"."""
    available = {known.removesuffix(_SUFFIX).lower(): known for known in ort.get_available_providers()}
    key = name.removesuffix(_SUFFIX).lower()
    if key in available:
        return str(available[key])
    known = {entry.removesuffix(_SUFFIX).lower() for entry in ort.get_all_providers()}
    if key in known:
        raise RecipeError(
            f"ONNX Runtime {ort.__version__} on this machine has no provider '{name}', only: {', '.join(available)}. "
            "Install the package that has it, such as onnxruntime-gpu in place of onnxruntime for 'cuda'."
        )
    raise RecipeError(f"There is no provider '{name}'.{near_misses(key, known)} Here are: {', '.join(available)}.")


def _set(options: ort.SessionOptions, name: str, value: str) -> None:
    if "." in name:
        options.add_session_config_entry(name, value)
        return
    if name == _CUSTOM_OPERATORS:
        options.register_custom_ops_library(value)
        return
    known = _settable(options)
    if name not in known:
        raise RecipeError(
            f"ONNX Runtime has no session option '{name}'.{near_misses(name, known)} Choose one of: "
            f"{', '.join((*known, _CUSTOM_OPERATORS))}; or an entry such as session.intra_op.allow_spinning."
        )
    try:
        setattr(options, name, _typed(known[name], value))
    except (TypeError, ValueError, KeyError) as cause:
        kind = type(known[name])
        allowed = ", ".join(getattr(kind, "__members__", ())) or {bool: "0 or 1", int: "a whole number"}.get(kind, "")
        raise RecipeError(f"The session option '{name}' cannot be '{value}'. Give {allowed or 'a text'}.") from cause


def _settable(options: ort.SessionOptions) -> Mapping[str, object]:
    values = {name: getattr(options, name) for name in dir(options) if not name.startswith("_")}
    return {name: value for name, value in values.items() if not callable(value)}


def _typed(current: object, value: str) -> object:
    """`value` as the type that the option has now."""
    members = getattr(type(current), "__members__", None)
    if members is not None:
        return members[value]
    if isinstance(current, bool):
        return {"0": False, "1": True, "false": False, "true": True}[value.lower()]
    return int(value) if isinstance(current, int) else value
