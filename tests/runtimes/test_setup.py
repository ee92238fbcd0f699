"""How ONNX Runtime is set up: names are checked before any work, and answered with near misses."""

from __future__ import annotations

import numpy as np
import onnx.parser
import onnxruntime as ort
import pytest

from onnxq.core.execution import Execution
from onnxq.errors import RecipeError
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import CPU, Setup


def refused(message):
    return pytest.raises(RecipeError, match=message)


class TestProviders:
    def test_the_cpu_is_the_default(self):
        assert Setup.of(Execution()).providers == (CPU,)

    @pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
    def test_however_it_is_spelled_it_comes_once_and_last(self, name):
        assert Setup.of(Execution(providers=(name,))).providers == (CPU,)

    def test_one_that_onnxruntime_does_not_know(self):
        with refused(r"^There is no provider 'tensorr'\. Did you mean 'tensorrt'.*\? Here are: .*cpu"):
            Setup.of(Execution(providers=("tensorr",)))

    @pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is there")
    def test_one_that_this_machine_does_not_have(self):
        with refused(r"on this machine has no provider 'cuda', only: .*cpu\. Install the package that has it, such as"):
            Setup.of(Execution(providers=("cuda",)))


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "value", "found"),
        [
            ("intra_op_num_threads", "3", 3),
            ("enable_profiling", "1", True),
            ("enable_profiling", "FALSE", False),
            ("graph_optimization_level", "ORT_DISABLE_ALL", ort.GraphOptimizationLevel.ORT_DISABLE_ALL),
            ("profile_file_prefix", "here", "here"),
        ],
    )
    def test_a_value_gets_the_type_of_the_option(self, name, value, found):
        options = Setup.of(Execution(session_options={name: value})).session_options()
        assert getattr(options, name) == found

    def test_a_name_with_a_dot_is_an_entry(self):
        options = Setup.of(Execution(session_options={"session.intra_op.allow_spinning": "0"})).session_options()
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"

    def test_what_the_user_says_comes_last(self):
        assert Setup(options=(("intra_op_num_threads", "5"),), threads=1).session_options().intra_op_num_threads == 5

    def test_an_unknown_name(self):
        with refused(
            r"has no session option 'num_threads'\..* Choose one of: .*intra_op_num_threads.*; or an entry such"
        ):
            Setup.of(Execution(session_options={"num_threads": "3"}))

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("intra_op_num_threads", "many", "a whole number"),
            ("enable_profiling", "maybe", "0 or 1"),
            ("execution_mode", "FAST", "ORT_SEQUENTIAL, ORT_PARALLEL"),
        ],
    )
    def test_a_value_of_another_type(self, name, value, allowed):
        with refused(rf"^The session option '{name}' cannot be '{value}'\. Give {allowed}\.$"):
            Setup.of(Execution(session_options={name: value}))


def test_sessions_may_share_one_pool_of_memory_and_compute_the_same():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[N] y) { z = Exp(x) y = Mul(z, x) }'
    )
    feeds = {"x": np.linspace(-1, 1, 1000, dtype=np.float32)}
    setup = Setup(shares_memory=True)
    assert setup.session_options().get_session_config_entry("session.use_env_allocators") == "1"
    shared = [Session(model, setup=setup)(feeds)["y"] for _ in range(2)]
    alone = Session(model)(feeds)["y"]
    assert all(np.array_equal(found, alone) for found in shared)
