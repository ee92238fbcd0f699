from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

from onnxq.core.batch import InputSpec
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.data.npz import read_npz
from onnxq.errors import DataError

ARRAY = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def archive(request, tmp_path):
    request.param(tmp_path / "data.npz", x=ARRAY, labels=np.arange(50))
    return tmp_path / "data.npz"


def refusal(path, text):
    return pytest.raises(DataError, match=f"^'{re.escape(str(path))}' {text}")


def test_the_arrays_of_the_file(archive):
    arrays = read_npz(archive)
    assert list(arrays) == ["x", "labels"]
    np.testing.assert_array_equal(arrays["x"], ARRAY)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_source_from_a_file(archive, kind):
    given = source(kind(archive), Request([InputSpec("x", "float32", (None, 8))]))
    assert len(given) == 50
    assert [len(batch.labels) for batch in given.batches()] == [32, 18]


def test_a_missing_file(tmp_path):
    path = tmp_path / "gone.npz"
    with pytest.raises(DataError, match=f"^There is no file '{re.escape(str(path))}'\\.$"):
        read_npz(path)


def test_one_array_without_a_name(tmp_path):
    np.save(tmp_path / "x.npy", ARRAY)
    with refusal(
        tmp_path / "x.npy", r"holds one array without a name\. Save it with np\.savez\(path, input_name=array\)\.$"
    ):
        read_npz(tmp_path / "x.npy")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off(archive, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with refusal(archive, "is no npz file of plain arrays: "):
        read_npz(archive)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_file_with_damaged_bytes_inside(archive, share):
    content = bytearray(archive.read_bytes())
    start = int(len(content) * share)
    content[start : start + 64] = bytes(byte ^ 0x5A for byte in content[start : start + 64])
    archive.write_bytes(bytes(content))
    with refusal(archive, "is no npz file of plain arrays: "):
        read_npz(archive)


@pytest.mark.parametrize(
    "content", [b"", b"x,y\n1,2\n", b"\x80\x04\x95", b"PK\x03\x04"], ids=["empty", "text", "pickle", "zip"]
)
def test_another_file(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with refusal(path, "is no npz file of plain arrays: "):
        read_npz(path)


def test_a_folder(tmp_path):
    with refusal(tmp_path, "is no npz file of plain arrays: "):
        read_npz(tmp_path)


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{"a": 1}], object))
    with refusal(path, r"is no npz file of plain arrays: Object arrays cannot be loaded when allow_pickle=False"):
        read_npz(path)


def test_a_compression_that_python_does_not_know(archive):
    """The method is written in the header of the entry and in the directory at the end."""
    with zipfile.ZipFile(archive) as file:
        name = file.infolist()[0].filename.encode()
    content = bytearray(archive.read_bytes())
    local, directory = (content.find(name) - 30, content.rfind(b"PK\x01\x02", 0, content.rfind(name, 0, len(content))))
    content[local + 8 : local + 10] = content[directory + 10 : directory + 12] = (99).to_bytes(2, "little")
    archive.write_bytes(bytes(content))
    with refusal(archive, "is no npz file of plain arrays: "):
        read_npz(archive)
