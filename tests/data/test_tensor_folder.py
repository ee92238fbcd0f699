"""Folders as the tests of ONNX have them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx.external_data_helper import set_external_data
from onnx.numpy_helper import from_array, from_list, from_optional

from onnxq.core.batch import InputSpec
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import DataError

A, B = InputSpec("a", "float32", (None, 3)), InputSpec("b", "int64", ())


def write(folder, *tensors):
    folder.mkdir(exist_ok=True)
    for number, (array, name) in enumerate(tensors):
        (folder / f"input_{number}.pb").write_bytes(from_array(np.asarray(array), name).SerializeToString())
    (folder / "output_0.pb").write_bytes(b"not read")


@pytest.fixture
def folder(tmp_path):
    for number in (0, 1, 2, 10):
        names = ("", "") if number else ("b", "a")
        values = (np.full((2, 3), number, np.float32), np.int64(number))
        write(tmp_path / f"test_data_set_{number}", *zip(values if number else values[::-1], names, strict=True))
    return tmp_path


def test_each_set_is_fed_in_the_order_of_its_number_by_name_or_by_place(folder):
    batches = list(source(folder, Request((A, B))).batches())
    assert [int(batch.feeds["b"]) for batch in batches] == [0, 1, 2, 10]
    assert [batch.feeds["a"][0, 0] for batch in batches] == [0, 1, 2, 10]
    assert [batch.names for batch in batches][-1] == (f"'{folder}/test_data_set_10'",)


def test_one_set_alone(folder):
    (batch,) = source(folder / "test_data_set_2", Request((A, B))).batches()
    assert (int(batch.feeds["b"]), batch.samples) == (2, 2)


def test_only_the_first(folder):
    assert len(list(source(Samples(folder, first=3), Request((A, B))).batches())) == 2  # of two samples each


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x01\x10\x01\x4a\x02ab"], ids=["empty", "text", "short"])
def test_a_file_that_holds_no_tensor(folder, content):
    (folder / "test_data_set_1" / "input_0.pb").write_bytes(content)
    with pytest.raises(DataError, match=r"^'.*test_data_set_1/input_0\.pb' holds no tensor that can be read: "):
        list(source(folder, Request((A, B))).batches())


@pytest.mark.parametrize(
    "value", [from_list([np.ones((2, 3), np.float32)]), from_optional(np.ones((2, 3), np.float32))]
)
def test_what_is_no_tensor(folder, value):
    (folder / "test_data_set_0" / "input_0.pb").write_bytes(value.SerializeToString())
    with pytest.raises(DataError, match=r"holds no tensor that can be read: it is a sequence or an optional value\."):
        list(source(folder, Request((A, B))).batches())


class TestNumbersInAFileOfTheirOwn:
    @pytest.fixture
    def outside(self, folder):
        """Makes the first input of a set one whose numbers are elsewhere."""

        def _outside(location):
            tensor = TensorProto(name="a", dims=[2, 3], data_type=TensorProto.FLOAT, raw_data=bytes(24))
            set_external_data(tensor, location)
            tensor.ClearField("raw_data")
            (folder / "test_data_set_2" / "input_0.pb").write_bytes(tensor.SerializeToString())
            return folder / "test_data_set_2"

        return _outside

    def test_are_read_from_the_same_folder(self, outside):
        (outside("a.bin") / "a.bin").write_bytes(np.full(6, 7, np.float32).tobytes())
        (batch,) = source(outside("a.bin"), Request((A, B))).batches()
        assert batch.feeds["a"].tolist() == [[7, 7, 7]] * 2

    @pytest.mark.parametrize("location", ["gone.bin", "../../x.bin"])
    def test_that_cannot_be_read(self, outside, location):
        with pytest.raises(DataError, match=r"^'.*/input_0\.pb' holds no tensor that can be read: Data of TensorProto"):
            list(source(outside(location), Request((A, B))).batches())


def test_a_file_named_like_a_set_is_none(folder):
    (folder / "test_data_set_3").write_text("")
    assert len(list(source(folder, Request((A, B))).batches())) == 4


def test_more_tensors_than_inputs(folder):
    with pytest.raises(DataError, match=r"input_1\.pb' belongs to no input: the model has only 1\.$"):
        list(source(folder / "test_data_set_1", Request((A,))).batches())


def test_two_tensors_for_one_input(tmp_path):
    write(tmp_path, (np.zeros((1, 3), np.float32), "a"), (np.zeros((1, 3), np.float32), "a"))
    with pytest.raises(DataError, match=r"input_1\.pb' is a second tensor for the input 'a'\.$"):
        list(source(tmp_path, Request((A, B))).batches())


def test_a_set_that_lacks_an_input(tmp_path):
    write(tmp_path, (np.zeros((1, 3), np.float32), "a"))
    with pytest.raises(DataError, match=r"^There is no array for the model input 'b'\..* This is '.*'\.$"):
        list(source(tmp_path, Request((A, B))).batches())
