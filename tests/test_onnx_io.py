"""Models in and out of files: what cannot be read is refused with a sentence, what is written is written whole."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array, to_array

from onnxq import onnx_io
from onnxq.core.graph import Node
from onnxq.errors import ModelError, OutputError

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


class TestCheckOutput:
    """Refusals before any work is done."""

    def test_a_new_file_and_an_old_one_are_fine(self, tmp_path):
        source = tmp_path / "in.onnx"
        source.touch()
        (tmp_path / "old.onnx").touch()
        for target in ("new.onnx", "old.onnx"):
            onnx_io.check_output(source, tmp_path / target)
            onnx_io.check_output(None, tmp_path / target)
        assert files(tmp_path) == ["in.onnx", "old.onnx"]

    @pytest.mark.parametrize("alias", ["same", "symlink", "hard link", "detour"])
    def test_the_input_by_whatever_name(self, tmp_path, alias):
        source, target = tmp_path / "in.onnx", tmp_path / "out.onnx"
        source.touch()
        if alias == "symlink":
            target.symlink_to(source)
        elif alias == "hard link":
            target.hardlink_to(source)
        else:
            target = source if alias == "same" else tmp_path / ".." / tmp_path.name / "in.onnx"
        with pytest.raises(
            OutputError, match=r"is the input '.*in\.onnx'\. Choose another name: inputs are never touched\.$"
        ):
            onnx_io.check_output(source, target)

    def test_a_folder(self, tmp_path):
        with pytest.raises(
            OutputError, match=rf"^The output '{re.escape(str(tmp_path))}' is a folder\. Give a file name\.$"
        ):
            onnx_io.check_output(None, tmp_path)

    def test_a_folder_that_does_not_exist(self, tmp_path):
        target = tmp_path / "gone" / "m.onnx"
        message = rf"^The folder '{re.escape(str(target.parent))}' of the output does not exist\. Create it first\.$"
        with pytest.raises(OutputError, match=message):
            onnx_io.check_output(None, target)

    def test_a_folder_that_may_not_be_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: (Path(path), mode) != (tmp_path, os.W_OK))
        with pytest.raises(
            OutputError, match=rf"^The folder '{re.escape(str(tmp_path))}' of the output cannot be written\.$"
        ):
            onnx_io.check_output(None, tmp_path / "m.onnx")


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_then_no_space():
    """os.write for a disk that is full after eight bytes."""
    write, written = os.write, []

    def limited(descriptor, data):
        if written:
            no_space()
        written.append(write(descriptor, bytes(data)[:8]))
        return written[0]

    return limited


@pytest.fixture(params=["nameless", "named"])
def system(request, monkeypatch):
    """A file system with nameless files, and one without."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("no nameless files here")


@pytest.mark.usefixtures("system")
class TestWrite:
    """The old file or the new one, never a part, nor anything else."""

    def test_the_content_is_written_and_nothing_else(self, tmp_path):
        onnx_io.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").read_bytes() == b"new"
        assert files(tmp_path) == ["m"]

    def test_an_old_file_is_replaced(self, tmp_path):
        (tmp_path / "m").write_bytes(b"something longer")
        onnx_io.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").read_bytes() == b"new"
        assert files(tmp_path) == ["m"]

    def test_nothing_is_written_as_an_empty_file(self, tmp_path):
        onnx_io.write(tmp_path / "m", b"")
        assert (tmp_path / "m").read_bytes() == b""

    def test_a_write_that_takes_a_part_only_is_continued(self, tmp_path, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:7]))
        onnx_io.write(tmp_path / "m", bytes(range(100)))
        assert (tmp_path / "m").read_bytes() == bytes(range(100))

    @pytest.mark.parametrize("old", [None, b"old"])
    @pytest.mark.parametrize("full", [lambda: no_space, half_then_no_space], ids=["at once", "half way"])
    def test_a_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch, old, full):
        if old:
            (tmp_path / "m").write_bytes(old)
        monkeypatch.setattr(os, "write", full())
        with pytest.raises(OSError, match="No space left"):
            onnx_io.write(tmp_path / "m", bytes(100))
        assert files(tmp_path) == (["m"] if old else [])
        assert not old or (tmp_path / "m").read_bytes() == old

    def test_so_does_a_disk_that_fails_when_it_settles(self, tmp_path, monkeypatch):
        (tmp_path / "m").write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            onnx_io.write(tmp_path / "m", b"new")
        assert files(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == b"old"

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_so_does_an_interrupt(self, tmp_path, monkeypatch, interrupt):
        def interrupted(*_):
            raise interrupt

        (tmp_path / "m").write_bytes(b"old")
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(interrupt):
            onnx_io.write(tmp_path / "m", b"new")
        assert files(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == b"old"

    def test_a_target_that_cannot_be_replaced_leaves_no_draft(self, tmp_path):
        (tmp_path / "m").mkdir()
        with pytest.raises(OSError, match="m"):
            onnx_io.write(tmp_path / "m", b"new")
        assert files(tmp_path) == ["m"]

    def test_no_descriptor_stays_open(self, tmp_path, monkeypatch):
        def descriptors():
            return len(list(Path("/proc/self/fd").iterdir()))

        if not Path("/proc/self/fd").is_dir():
            pytest.skip("no /proc here")
        before = descriptors()
        onnx_io.write(tmp_path / "m", b"new")
        monkeypatch.setattr(os, "write", no_space)
        with pytest.raises(OSError, match="No space left"):
            onnx_io.write(tmp_path / "m", b"newer")
        assert descriptors() == before

    def test_others_may_read_the_file_as_the_umask_says(self, tmp_path):
        (tmp_path / "plain").write_bytes(b"")
        onnx_io.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


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
        monkeypatch.setattr(onnx_io, "PROTOBUF_LIMIT", 1000)
        model = large()
        onnx_io.save(model, tmp_path / "m.onnx")
        assert files(tmp_path) == ["m.onnx", "m.onnx.data"]
        assert (tmp_path / "m.onnx").stat().st_size < 1000
        assert model == large(), "the model in memory keeps its weights"
        back = onnx_io.load(tmp_path / "m.onnx")
        np.testing.assert_array_equal(to_array(back.graph.initializer[0]), W)
        assert back.graph.node == large().graph.node

    def test_a_model_with_its_weights_beside_it_can_be_moved(self, tmp_path, monkeypatch):
        monkeypatch.setattr(onnx_io, "PROTOBUF_LIMIT", 1000)
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
        monkeypatch.setattr(onnx_io, "PROTOBUF_LIMIT", 1000)
        for factor in (1, 2):
            model = model_of("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }", w=W * factor)
            onnx_io.save(model, tmp_path / "m.onnx")
            np.testing.assert_array_equal(to_array(onnx_io.load(tmp_path / "m.onnx").graph.initializer[0]), W * factor)
        assert files(tmp_path) == ["m.onnx", "m.onnx.data"]

    @pytest.mark.parametrize("limit", [1000, 10**9], ids=["beside", "within"])
    def test_a_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch, limit):
        monkeypatch.setattr(onnx_io, "PROTOBUF_LIMIT", limit)
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


class TestView:
    """The read-only picture."""

    def test_nodes_edges_and_attributes(self):
        body = "g (float[N, 4] x) => (float[N, 3] y) { t = Relu(x) y = Gemm<alpha = 0.5, transB = 1>(t, w, b) }"
        view = onnx_io.view(model_of(body, w=np.ones((3, 4), np.float32), b=np.zeros(3, np.float32)))
        assert (view.inputs, view.outputs, set(view.constants)) == (("x",), ("y",), {"w", "b"})
        assert view.nodes[0] == Node("", "Relu", ("x",), ("t",))
        gemm = view.nodes[1]
        assert (gemm.op, gemm.inputs, gemm.outputs) == ("Gemm", ("t", "w", "b"), ("y",))
        assert dict(gemm.attributes) == {"alpha": 0.5, "transB": 1}

    def test_list_attributes_are_lists_and_omitted_inputs_empty(self):
        view = onnx_io.view(
            model_of("g (float[N, 4] x) => (float[N, 4] y) { y = Clip(x, , x) z = Transpose<perm = [1, 0]>(x) }")
        )
        assert view.nodes[0].inputs == ("x", "", "x")
        assert view.nodes[1].attributes == {"perm": [1, 0]}

    def test_the_long_name_of_the_standard_domain_is_the_short_one(self):
        model = model_of("g (float[4] x) => (float[4] y) { t = Relu(x) y = Relu(t) }")
        model.graph.node[0].domain, model.graph.node[1].domain = "ai.onnx", "com.me"
        assert [node.domain for node in onnx_io.view(model).nodes] == ["", "com.me"]

    def test_an_input_with_a_default_is_a_constant_and_no_input(self):
        model = model_of("g (float[4] x, float[4] w) => (float[4] y) { y = Add(x, w) }", w=np.ones(4, np.float32))
        assert onnx_io.view(model).inputs == ("x",)

    def test_shapes_are_those_of_inputs_outputs_and_value_infos(self):
        body = "g (float[N, 4, 0] x, float s, float[] u) => (float[2] y) <float[?, 3] t, float[M] v> { y = Relu(x) }"
        view = onnx_io.view(model_of(body.replace("?", "A")))
        assert view.shapes == {"x": (None, 4, 0), "s": (), "y": (2,), "t": (None, 3), "v": (None,)}

    def test_a_tensor_of_unknown_rank_has_no_shape(self):
        model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
        model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, None))
        view = onnx_io.view(model)
        assert "t" not in view.shapes
        assert view.dtypes["t"] == "float32"

    @pytest.mark.parametrize(
        ("element", "dtype"),
        [
            (TensorProto.FLOAT, "float32"),
            (TensorProto.FLOAT16, "float16"),
            (TensorProto.DOUBLE, "float64"),
            (TensorProto.INT8, "int8"),
            (TensorProto.INT64, "int64"),
            (TensorProto.BOOL, "bool"),
            (TensorProto.BFLOAT16, "bfloat16"),
            (TensorProto.UNDEFINED, None),
            (12345, None),
        ],
    )
    def test_types_have_the_names_that_numpy_gives_them(self, element, dtype):
        model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
        model.graph.input[0].type.tensor_type.elem_type = element
        assert onnx_io.view(model).dtypes.get("x") == dtype

    def test_sequences_have_neither_shape_nor_type(self):
        model = model_of("g (float[4] x) => (seq(float[4]) y) { y = SequenceConstruct(x) }")
        view = onnx_io.view(model)
        assert (list(view.shapes), list(view.dtypes)) == (["x"], ["x"])

    def test_what_bodies_read_is_captured_however_deep(self):
        inner = (
            "<then_branch = c () => (float[4] r) { r = Exp(deep) }, else_branch = d () => (float[4] s) { s = Neg(x) }>"
        )
        body = (
            f"<then_branch = a () => (float[4] p) {{ p = If(k) {inner} }}, else_branch = b () => (float[4] out) {{ }}>"
        )
        model = model_of(
            f"g (float[4] x, bool k) => (float[4] y) {{ deep = Abs(x) out = Sin(x) only = Cos(x) y = If(k) {body} }}"
        )
        view = onnx_io.view(model)
        assert {"deep", "out", "x", "k"} <= view.captured
        assert "only" not in view.captured

    def test_a_body_is_no_attribute_value(self):
        body = "<then_branch = a () => (float[4] p) { p = Exp(x) }, else_branch = b () => (float[4] q) { q = Neg(x) }>"
        view = onnx_io.view(model_of(f"g (float[4] x, bool k) => (float[4] y) {{ y = If(k) {body} }}"))
        assert set(view.nodes[0].attributes.values()) == {None}
