"""Models in and out of files: what cannot be read is refused with a sentence, what is written is written whole."""

from __future__ import annotations

import errno
import os
import re

import numpy as np
import onnx
import pytest
from onnx.numpy_helper import from_array, to_array

from onnxq import onnx_io
from onnxq.errors import ModelError, OutputError
from onnxq.onnx_io import model_file

W = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)


def model_of(body, opset=19, **weights):
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}]> {body}')
    model.graph.initializer.extend(from_array(array, name) for name, array in weights.items())
    return model


def large():
    return model_of("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }", w=W)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(path, text=""):
    return pytest.raises(ModelError, match=f"^'{re.escape(str(path))}' {text}")


class TestLoad:
    """Reading."""

    def test_a_model_is_read_with_its_external_data(self, tmp_path):
        onnx.save_model(large(), tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)
        assert len(files(tmp_path)) == 2
        np.testing.assert_array_equal(to_array(onnx_io.load(tmp_path / "m.onnx").graph.initializer[0]), W)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(ModelError, match=rf"^There is no file '{re.escape(str(tmp_path / 'gone.onnx'))}'\.$"):
            onnx_io.load(tmp_path / "gone.onnx")

    def test_missing_external_data(self, tmp_path):
        onnx.save_model(large(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
        (tmp_path / "m.data").unlink()
        with pytest.raises(ModelError, match=r"m\.data"):
            onnx_io.load(tmp_path / "m.onnx")

    @pytest.mark.parametrize("kept", [0, 100])
    def test_external_data_that_were_cut_off(self, tmp_path, kept):
        onnx.save_model(large(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
        (tmp_path / "m.data").write_bytes((tmp_path / "m.data").read_bytes()[:kept])
        with refused(tmp_path / "m.onnx", "is no readable ONNX model, or was cut off: "):
            onnx_io.load(tmp_path / "m.onnx")

    def test_a_folder(self, tmp_path):
        with refused(tmp_path, r"is a folder, not an ONNX model\.$"):
            onnx_io.load(tmp_path)

    @pytest.mark.parametrize("name", ["m.onnx", "m", "m.txt", "m.json", "m.textproto", "m.onnxtxt", "m.pb"])
    @pytest.mark.parametrize("content", [b"this is no model\n", b"\xff\xfe\x00 binary"], ids=["text", "binary"])
    def test_another_file_whatever_it_is_called(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with refused(tmp_path / name, "is no "):
            onnx_io.load(tmp_path / name)

    @pytest.mark.parametrize("name", ["m.onnx", "m.json", "m.textproto"])
    def test_an_empty_file(self, tmp_path, name):
        (tmp_path / name).touch()
        with refused(tmp_path / name, "is no "):
            onnx_io.load(tmp_path / name)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_a_model_that_was_cut_off(self, tmp_path, share):
        content = large().SerializeToString()
        (tmp_path / "m.onnx").write_bytes(content[: int(len(content) * share)])
        with refused(tmp_path / "m.onnx", "is no readable ONNX model, or was cut off: "):
            onnx_io.load(tmp_path / "m.onnx")

    def test_a_model_without_a_graph(self, tmp_path):
        (tmp_path / "m.onnx").write_bytes(onnx.ModelProto(ir_version=9).SerializeToString())
        with refused(tmp_path / "m.onnx", r"is no ONNX model: it has no IR version or no graph\.$"):
            onnx_io.load(tmp_path / "m.onnx")

    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch):
        def deny(*args, **options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(onnx, "load", deny)  # root may read everything
        with refused(tmp_path / "m.onnx", r"is no readable ONNX model, or was cut off: .*Permission denied\.$"):
            onnx_io.load(tmp_path / "m.onnx")


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestSave:
    """Writing models."""

    def test_a_model_comes_back_as_it_was(self, tmp_path):
        onnx_io.save(large(), tmp_path / "m.onnx")
        assert onnx_io.load(tmp_path / "m.onnx") == large()
        assert files(tmp_path) == ["m.onnx"]

    def test_the_same_model_gives_the_same_bytes(self, tmp_path):
        for name in ("a", "b"):
            onnx_io.save(large(), tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_weights_beyond_the_limit_go_beside_the_model(self, tmp_path, monkeypatch):
        monkeypatch.setattr(model_file, "PROTOBUF_LIMIT", 1000)
        model = large()
        onnx_io.save(model, tmp_path / "m.onnx")
        assert files(tmp_path) == ["m.onnx", "m.onnx.data"]
        assert (tmp_path / "m.onnx").stat().st_size < 1000
        assert model == large(), "the model in memory keeps its weights"
        back = onnx_io.load(tmp_path / "m.onnx")
        np.testing.assert_array_equal(to_array(back.graph.initializer[0]), W)
        assert back.graph.node == large().graph.node

    def test_a_model_with_its_weights_beside_it_can_be_moved(self, tmp_path, monkeypatch):
        monkeypatch.setattr(model_file, "PROTOBUF_LIMIT", 1000)
        (tmp_path / "old").mkdir()
        onnx_io.save(large(), tmp_path / "old" / "m.onnx")
        (tmp_path / "old").rename(tmp_path / "new")
        np.testing.assert_array_equal(to_array(onnx_io.load(tmp_path / "new" / "m.onnx").graph.initializer[0]), W)

    @pytest.mark.slow
    def test_weights_beyond_what_protobuf_can_even_count(self, tmp_path):
        """Above 2 GiB, asking a model for its size fails as well."""
        model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
        model.graph.initializer.extend(from_array(np.full(2**28, i, np.float32), f"w{i}") for i in range(2))
        model.graph.initializer.append(from_array(np.full(2**20, 2, np.float32), "w2"))
        assert onnx_io.size(model) == 2**31 + 2**22
        onnx_io.save(model, tmp_path / "m.onnx")
        del model
        assert (tmp_path / "m.onnx.data").stat().st_size > 2**31
        assert to_array(onnx_io.load(tmp_path / "m.onnx").graph.initializer[2])[-1] == 2

    def test_an_older_model_and_its_weights_are_replaced(self, tmp_path, monkeypatch):
        monkeypatch.setattr(model_file, "PROTOBUF_LIMIT", 1000)
        for factor in (1, 2):
            model = model_of("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }", w=W * factor)
            onnx_io.save(model, tmp_path / "m.onnx")
            np.testing.assert_array_equal(to_array(onnx_io.load(tmp_path / "m.onnx").graph.initializer[0]), W * factor)
        assert files(tmp_path) == ["m.onnx", "m.onnx.data"]

    @pytest.mark.parametrize("limit", [1000, 10**9], ids=["beside", "within"])
    def test_a_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch, limit):
        monkeypatch.setattr(model_file, "PROTOBUF_LIMIT", limit)
        onnx_io.save(large(), tmp_path / "m.onnx")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        monkeypatch.setattr(os, "write", no_space)
        monkeypatch.setattr(onnx, "save_model", no_space)
        target = re.escape(str(tmp_path / "m.onnx"))
        with pytest.raises(OutputError, match=rf"^The output '{target}' cannot be written: No space left on device\.$"):
            onnx_io.save(
                model_of("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }", w=2 * W), tmp_path / "m.onnx"
            )
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_a_folder_that_went_away(self, tmp_path):
        with pytest.raises(OutputError, match=r"cannot be written: No such file or directory\.$"):
            onnx_io.save(large(), tmp_path / "gone" / "m.onnx")


def test_the_size_of_a_model_is_that_of_its_file(tmp_path):
    onnx_io.save(large(), tmp_path / "m.onnx")
    assert onnx_io.size(large()) == (tmp_path / "m.onnx").stat().st_size
