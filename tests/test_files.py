"""Outputs appear in one step, whole or not at all; what cannot be written is refused before any work."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from onnxq import files
from onnxq.errors import OutputError


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


class TestCheckOutput:
    """Refusals before any work is done."""

    def test_a_new_file_and_an_old_one_are_fine(self, tmp_path):
        source = tmp_path / "in.onnx"
        source.touch()
        (tmp_path / "old.onnx").touch()
        for target in ("new.onnx", "old.onnx"):
            files.check_output(source, tmp_path / target)
            files.check_output(None, tmp_path / target)
        assert listed(tmp_path) == ["in.onnx", "old.onnx"]

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
            files.check_output(source, target)

    def test_a_folder(self, tmp_path):
        with pytest.raises(
            OutputError, match=rf"^The output '{re.escape(str(tmp_path))}' is a folder\. Give a file name\.$"
        ):
            files.check_output(None, tmp_path)

    def test_a_folder_that_does_not_exist(self, tmp_path):
        target = tmp_path / "gone" / "m.onnx"
        message = rf"^The folder '{re.escape(str(target.parent))}' of the output does not exist\. Create it first\.$"
        with pytest.raises(OutputError, match=message):
            files.check_output(None, target)

    def test_a_folder_that_may_not_be_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: (Path(path), mode) != (tmp_path, os.W_OK))
        with pytest.raises(
            OutputError, match=rf"^The folder '{re.escape(str(tmp_path))}' of the output cannot be written\.$"
        ):
            files.check_output(None, tmp_path / "m.onnx")


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
        files.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").read_bytes() == b"new"
        assert listed(tmp_path) == ["m"]

    def test_an_old_file_is_replaced(self, tmp_path):
        (tmp_path / "m").write_bytes(b"something longer")
        files.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").read_bytes() == b"new"
        assert listed(tmp_path) == ["m"]

    def test_nothing_is_written_as_an_empty_file(self, tmp_path):
        files.write(tmp_path / "m", b"")
        assert (tmp_path / "m").read_bytes() == b""

    def test_a_write_that_takes_a_part_only_is_continued(self, tmp_path, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:7]))
        files.write(tmp_path / "m", bytes(range(100)))
        assert (tmp_path / "m").read_bytes() == bytes(range(100))

    @pytest.mark.parametrize("old", [None, b"old"])
    @pytest.mark.parametrize("full", [lambda: no_space, half_then_no_space], ids=["at once", "half way"])
    def test_a_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch, old, full):
        if old:
            (tmp_path / "m").write_bytes(old)
        monkeypatch.setattr(os, "write", full())
        with pytest.raises(OutputError, match="No space left"):
            files.write(tmp_path / "m", bytes(100))
        assert listed(tmp_path) == (["m"] if old else [])
        assert not old or (tmp_path / "m").read_bytes() == old

    def test_so_does_a_disk_that_fails_when_it_settles(self, tmp_path, monkeypatch):
        (tmp_path / "m").write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.raises(OutputError, match="No space left"):
            files.write(tmp_path / "m", b"new")
        assert listed(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == b"old"

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_so_does_an_interrupt(self, tmp_path, monkeypatch, interrupt):
        def interrupted(*_):
            raise interrupt

        (tmp_path / "m").write_bytes(b"old")
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(interrupt):
            files.write(tmp_path / "m", b"new")
        assert listed(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == b"old"

    def test_a_target_that_cannot_be_replaced_leaves_no_draft(self, tmp_path):
        (tmp_path / "m").mkdir()
        with pytest.raises(OutputError, match="m"):
            files.write(tmp_path / "m", b"new")
        assert listed(tmp_path) == ["m"]

    def test_no_descriptor_stays_open(self, tmp_path, monkeypatch):
        def descriptors():
            return len(list(Path("/proc/self/fd").iterdir()))

        if not Path("/proc/self/fd").is_dir():
            pytest.skip("no /proc here")
        before = descriptors()
        files.write(tmp_path / "m", b"new")
        monkeypatch.setattr(os, "write", no_space)
        with pytest.raises(OutputError, match="No space left"):
            files.write(tmp_path / "m", b"newer")
        assert descriptors() == before

    def test_others_may_read_the_file_as_the_umask_says(self, tmp_path):
        (tmp_path / "plain").write_bytes(b"")
        files.write(tmp_path / "m", b"new")
        assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode
