from __future__ import annotations

import onnx
import pytest
from google.protobuf.message import EncodeError

from onnxq.errors import VerifyError
from onnxq.stages.verify import check_model, checker


def model_of(body):
    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 19]> {body}')


GOOD = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
INVALID = model_of("g (float[4] x) => (float[4] y) { y = Relu(z) }")
WRONG_SHAPE = model_of("g (float[4] x) => (float[5] y) { y = Relu(x) }")  # only full_check sees it


def test_a_valid_model_passes():
    check_model(GOOD, beside=GOOD)


@pytest.mark.parametrize("written", [INVALID, WRONG_SHAPE], ids=["invalid", "wrong shape"])
def test_a_model_that_was_valid_and_is_no_more_is_refused(written):
    with pytest.raises(VerifyError, match=r"^onnx\.checker refuses the written model\. This is a bug in onnxq\. .+"):
        check_model(written, beside=GOOD)


def test_where_the_original_fails_the_full_check_the_written_model_may_fail_it_too():
    check_model(WRONG_SHAPE, beside=WRONG_SHAPE)
    with pytest.raises(VerifyError, match="z"):
        check_model(INVALID, beside=WRONG_SHAPE)


def test_where_the_original_is_invalid_nothing_is_asked():
    check_model(INVALID, beside=INVALID)


def test_a_model_that_is_too_large_for_the_checker_passes(monkeypatch):
    monkeypatch.setattr(checker, "LARGEST", GOOD.ByteSize() - 1)
    check_model(INVALID, beside=GOOD)


def test_so_does_one_whose_size_protobuf_cannot_count(monkeypatch):
    """Above 2 GiB, asking a model for its size fails."""

    def refuse(model, full_check):
        raise EncodeError("Failed to serialize proto")

    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    check_model(INVALID, beside=GOOD)
