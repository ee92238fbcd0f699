"""npz files: read as they are needed, refused with a sentence where they are damaged."""

from __future__ import annotations

import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxq.core.batch import InputSpec
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.data.npz import open_npz
from onnxq.data.rows import whole
from onnxq.errors import DataError

ARRAY = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
REQUEST = Request([InputSpec("x", "float32", (None, 8))], 7)
KINDS = pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def archive(request, tmp_path):
    request.param(tmp_path / "data.npz", x=ARRAY, labels=np.arange(50))
    return tmp_path / "data.npz"


def refusal(path, text):
    return pytest.raises(DataError, match=f"^'{re.escape(str(path))}' {text}")


def read_all(path):
    return {name: whole(rows) for name, rows in open_npz(path).items()}


class TestReading:
    def test_the_arrays_of_the_file(self, archive):
        found = read_all(archive)
        assert list(found) == ["x", "labels"]
        np.testing.assert_array_equal(found["x"], ARRAY)

    @pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
    def test_a_source_from_a_file(self, archive, kind):
        given = source(kind(archive), Request([InputSpec("x", "float32", (None, 8))]))
        assert len(given) == 50
        assert [len(batch.labels) for batch in given.batches()] == [32, 18]

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(
        arrays.arrays(
            st.sampled_from(["f2", "<f4", ">f4", "f8", "i8", "u1", "?"]),
            arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6),
        ),
        st.sampled_from([np.savez, np.savez_compressed]),
        st.booleans(),
        st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=4),
    )
    def test_any_rows_in_any_order_are_those_of_the_array(self, tmp_path_factory, array, save, fortran, choices):
        path = tmp_path_factory.mktemp("npz") / "data.npz"
        save(path, x=np.asfortranarray(array) if fortran else array)
        rows = open_npz(path)["x"]
        assert (rows.shape, rows.dtype.name) == (array.shape, array.dtype.name)
        for choice in choices:
            numbers = np.array(choice) % len(array)
            np.testing.assert_array_equal(rows[numbers], array[numbers])

    def test_a_value_without_axes_is_itself(self, tmp_path):
        np.savez(tmp_path / "data.npz", rate=np.int64(16000))
        assert open_npz(tmp_path / "data.npz")["rate"] == 16000

    def test_two_passes_at_once_do_not_disturb_each_other(self, archive):
        given = source(archive, REQUEST)
        pairs = zip(given.batches(), given.batches(7), given.some(50, 0), strict=False)
        for first, second, third in pairs:
            for batch in (first, second, third):
                start = int(batch.names[0].split()[1])
                np.testing.assert_array_equal(batch.feeds["x"], ARRAY[start : start + len(batch.names)])

    @KINDS
    def test_memory_does_not_grow_with_the_number_of_samples(self, tmp_path, save):
        save(tmp_path / "data.npz", x=np.zeros((20_000, 500), np.float32))
        request = Request([InputSpec("x", "float32", (None, 500))], 32)
        tracemalloc.start()
        for batch in source(tmp_path / "data.npz", request).batches():
            assert batch.feeds["x"].shape == (32, 500)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3_000_000  # of 40 million


def headed(header, version=b"\x01\x00"):
    """The beginning of an npy file."""
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header


def shaped(shape, dtype="<f4"):
    return headed(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode())


class TestRefusals:
    def test_a_missing_file(self, tmp_path):
        path = tmp_path / "gone.npz"
        with pytest.raises(DataError, match=f"^There is no file '{re.escape(str(path))}'\\.$"):
            source(path, REQUEST)

    def test_one_array_without_a_name(self, tmp_path):
        np.save(tmp_path / "x.npy", ARRAY)
        message = r"holds one array without a name\. Save it with np\.savez\(path, input_name=array\)\.$"
        with refusal(tmp_path / "x.npy", message):
            open_npz(tmp_path / "x.npy")

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
    def test_a_file_that_was_cut_off(self, archive, share):
        content = archive.read_bytes()
        archive.write_bytes(content[: int(len(content) * share)])
        with refusal(archive, "cannot be read: "):
            open_npz(archive)

    @pytest.mark.parametrize("share", [0.2, 0.5])
    def test_damaged_bytes_in_an_array_are_found_at_the_end_of_it_at_the_latest(self, archive, share):
        content = bytearray(archive.read_bytes())
        start = int(len(content) * share)
        content[start : start + 64] = bytes(byte ^ 0x5A for byte in content[start : start + 64])
        archive.write_bytes(bytes(content))
        with pytest.raises(DataError, match=r"^The array 'x' in '.*data\.npz' cannot be read: (Bad CRC|Error -3)"):
            list(source(archive, REQUEST).batches())

    @pytest.mark.parametrize(
        "content", [b"", b"x,y\n1,2\n", b"\x80\x04\x95", b"PK\x03\x04"], ids=["empty", "text", "pickle", "zip"]
    )
    def test_another_file(self, tmp_path, content):
        path = tmp_path / "data.npz"
        path.write_bytes(content)
        with refusal(path, r"cannot be read: File is not a zip file\.$"):
            open_npz(path)

    def test_a_zip_of_something_else(self, tmp_path):
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "hello")
        with refusal(path, r"is no npz file of plain arrays: 'readme\.txt' in it is none\.$"):
            open_npz(path)

    def test_a_member_that_is_no_array(self, tmp_path):
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x.npy", "hello, this is no array")
        with pytest.raises(DataError, match=r"^The array 'x' in '.*' cannot be read: the magic string is not correct"):
            open_npz(path)

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (headed(b"{}", b"\x03\x00"), r"version 3\.0 of the npy format is unknown\."),
            (headed(b"{('descr': 1\n"), r"\(?'?(EOF in multi-line|unexpected EOF)"),
            (headed(b"  1\n 2\n"), "unindent does not match"),
            (shaped((-5, 8)), r"its shape is \(-5, 8\)\."),
            (shaped((3, 8)) + bytes(95), r"it was cut off\."),
            (shaped((10**13, 8)), r"it was cut off\."),
            (shaped((10**30, 8)), r"it was cut off\."),
        ],
        ids=["version", "unbalanced", "indented", "negative", "short", "huge", "huger"],
    )
    def test_a_member_whose_header_is_damaged(self, tmp_path, content, text):
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x.npy", content)
        with pytest.raises(DataError, match=rf"^The array 'x' in '.*data\.npz' cannot be read: {text}"):
            open_npz(path)

    def test_a_member_that_is_encrypted(self, archive):
        """Which is a bit in the header of the entry and in the directory at the end."""
        content = bytearray(archive.read_bytes())
        content[content.find(b"PK\x03\x04") + 6] |= 1
        content[content.find(b"PK\x01\x02") + 8] |= 1
        archive.write_bytes(bytes(content))
        with pytest.raises(DataError, match=r"^The array 'x' in '.*' cannot be read: File 'x\.npy' is encrypted, "):
            open_npz(archive)

    def test_no_samples_but_labels(self, tmp_path):
        np.savez(tmp_path / "data.npz", x=ARRAY[:0], labels=np.arange(0))
        with pytest.raises(DataError, match=r"^The arrays hold no samples: 'x' \(0, 8\)\.$"):
            source(tmp_path / "data.npz", REQUEST)

    def test_pickled_objects_are_never_loaded(self, tmp_path):
        path = tmp_path / "data.npz"
        np.savez(path, x=np.array([{"a": 1}], object))
        with pytest.raises(DataError, match=r"^The array 'x' in '.*' holds Python objects, which are never loaded\."):
            open_npz(path)

    def test_a_compression_that_python_does_not_know(self, archive):
        """The method is written in the header of the entry and in the directory at the end."""
        with zipfile.ZipFile(archive) as file:
            name = file.infolist()[0].filename.encode()
        content = bytearray(archive.read_bytes())
        local, directory = content.find(name) - 30, content.rfind(b"PK\x01\x02", 0, content.rfind(name))
        content[local + 8 : local + 10] = content[directory + 10 : directory + 12] = (99).to_bytes(2, "little")
        archive.write_bytes(bytes(content))
        with pytest.raises(DataError, match=r"^The array 'x' in '.*' cannot be read: That compression method is not"):
            open_npz(archive)
