"""Real models: what onnxq writes breaks no rule, and lint and TensorRT for RTX agree about what onnxruntime writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from tests.conftest import ZOO
from tests.e2e.random_graphs import draw
from tests.e2e.test_zoo import BARS, preprocess

import onnxq
from onnxq.errors import InputError, RuntimeFailure, StageError
from onnxq.pipeline.linting import lint
from onnxq.runtimes.tensorrt import compile_ahead_of_time


@pytest.mark.zoo
@pytest.mark.parametrize("name", BARS)
class TestZoo:
    def test_what_onnxq_writes_breaks_no_rule(self, name: str) -> None:
        assert (
            lint(onnxq.quantize(ZOO / "models" / f"{name}.onnx", lambda: preprocess().feeds(name, "calib", 4)).model)
            == ()
        )

    def test_a_float_model_is_one_warning(self, name: str) -> None:
        (finding,) = lint(ZOO / "models" / f"{name}.onnx")
        assert (finding.severity, finding.rule) == ("warning", "no-qdq")


@pytest.mark.parametrize("seed", range(100))
def test_a_random_model_is_read_and_what_onnxq_makes_of_it_breaks_no_rule(seed: int) -> None:
    drawn = draw(seed)
    try:
        found = {finding.rule for finding in lint(drawn.model)}
        made = onnxq.quantize(drawn.model, drawn.feeds)
    except (InputError, StageError):  # tests/e2e/test_corpus.py has the reasons
        return
    assert found <= {"no-qdq", "integer-operator"}
    assert lint(made.model) == ()


class Feeds(CalibrationDataReader):
    def __init__(self, name: str) -> None:
        self.feeds: Iterator[Mapping[str, np.ndarray]] = iter(preprocess().feeds(name, "calib", 4))

    def get_next(self) -> Any:
        return next(self.feeds, None)


SYMMETRIC = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "per_channel": True}
FLOAT_BIASES = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}


@pytest.mark.zoo
@pytest.mark.tensorrt
@pytest.mark.filterwarnings("ignore")  # onnxruntime's own
@pytest.mark.parametrize(
    ("options", "broken"),
    [
        ({}, {"zero-point", "integer-bias"}),
        ({"activation_type": QuantType.QUInt8}, {"integer-type", "zero-point", "integer-bias"}),
        ({**SYMMETRIC, "extra_options": {"ActivationSymmetric": True}}, {"integer-bias"}),
        ({**SYMMETRIC, "extra_options": FLOAT_BIASES}, set()),
        ({**SYMMETRIC, "extra_options": {**FLOAT_BIASES, "AddQDQPairToWeight": True}}, set()),
    ],
    ids=["by default", "uint8", "int8 per channel", "with float biases", "with pairs on weights"],
)
def test_lint_finds_errors_where_tensorrt_refuses(options: dict[str, Any], broken: set[str], tmp_path: Path) -> None:
    source, target = ZOO / "models" / "cifar10_resnet20.onnx", tmp_path / "out.onnx"
    quantize_static(source, target, Feeds("cifar10_resnet20"), **options)
    model = onnx.load(target)
    errors = [finding for finding in lint(model) if finding.severity == "error"]
    assert {finding.rule for finding in errors} == broken
    if not broken:
        compile_ahead_of_time(model)
        return
    with pytest.raises(RuntimeFailure, match="refuses the model") as failure:
        compile_ahead_of_time(model)
    named = set(re.findall(r"\w+Linear '([^']+)'", str(failure.value)))
    assert named
    assert named <= {finding.node for finding in errors}
