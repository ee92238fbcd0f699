"""Folders of npz and npy files: put together where all samples are alike, fed file by file where they are not."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from onnxq.core.batch import InputSpec
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.arrays import ArraySource
from onnxq.data.feeds import FeedSource
from onnxq.data.kind import Request
from onnxq.errors import DataError

SAMPLES = np.random.default_rng(0).normal(size=(10, 4, 3)).astype(np.float32)
X = InputSpec("x", "float32", (None, 4, 3))


def request(*inputs):
    return Request(inputs or (X,), 4)


def fed(given, name="x"):
    return np.concatenate([batch.feeds[name][: batch.samples] for batch in given.batches()])


class TestOneSampleInEach:
    @pytest.fixture(params=["npy", "npz"])
    def folder(self, request, tmp_path):
        for number, sample in enumerate(SAMPLES):
            if request.param == "npy":
                np.save(tmp_path / f"{number:03}.npy", sample)
            else:
                np.savez_compressed(tmp_path / f"{number:03}.npz", x=sample)
        (tmp_path / ".hidden.npy").write_bytes(b"")
        (tmp_path / "notes.txt").write_text("")
        return tmp_path

    def test_they_are_put_together(self, folder):
        given = source(folder, request())
        assert (type(given), len(given)) == (ArraySource, 10)
        assert [batch.samples for batch in given.batches()] == [4, 4, 2]
        np.testing.assert_array_equal(fed(given), SAMPLES)

    def test_messages_name_the_file(self, folder):
        names = [name for batch in source(folder, request()).batches() for name in batch.names]
        assert [name.strip("'")[: -len("npy")] for name in names] == [f"{folder}/{number:03}." for number in range(10)]

    def test_only_the_first(self, folder):
        np.testing.assert_array_equal(fed(source(Samples(folder, first=3), request())), SAMPLES[:3])

    def test_some_in_any_order(self, folder):
        (batch,) = source(folder, Request((X,), 32)).some(5, 0)
        assert batch.samples == 5

    def test_a_fixed_batch_size_is_filled_up(self, folder):
        given = source(folder, request(InputSpec("x", "float32", (4, 4, 3))))
        assert [(batch.samples, batch.padded) for batch in given.batches()] == [(4, 0), (4, 0), (2, 2)]
        np.testing.assert_array_equal(fed(given), SAMPLES)

    def test_class_numbers_may_be_among_them(self, tmp_path):
        for number in range(3):
            np.savez(tmp_path / f"{number}.npz", x=SAMPLES[number], label=np.int64(number * 2))
        (batch,) = source(tmp_path, request()).batches()
        assert batch.labels.tolist() == [0, 2, 4]

    def test_a_scalar_is_fed_with_each(self, tmp_path):
        for number in range(3):
            np.savez(tmp_path / f"{number}.npz", x=SAMPLES[number], rate=np.int64(number))
        given = source(tmp_path, request(X, InputSpec("rate", "int64", ())))
        assert [batch.feeds["rate"].tolist() for batch in given.batches()] == [0, 1, 2]
        np.testing.assert_array_equal(fed(given), SAMPLES[:3])


class TestSeveralSamplesInEach:
    @pytest.fixture(params=["npy", "npz"])
    def folder(self, request, tmp_path):
        for name, part in {"a": SAMPLES[:3], "b": SAMPLES[3:9], "c": SAMPLES[9:]}.items():
            if request.param == "npy":
                np.save(tmp_path / f"{name}.npy", part)
            else:
                np.savez(tmp_path / f"{name}.npz", x=part, label=np.arange(len(part)))
        return tmp_path

    def test_they_are_one_long_array(self, folder):
        given = source(folder, request())
        assert [batch.samples for batch in given.batches()] == [4, 4, 2]
        np.testing.assert_array_equal(fed(given), SAMPLES)

    def test_messages_name_the_file_and_the_sample_in_it(self, folder):
        names = [name for batch in source(folder, request()).batches() for name in batch.names]
        assert [re.sub(r"'.*/(\w).*'", r"\1", name) for name in names[:4]] == [
            *(f"sample {number} of a" for number in range(3)),
            "sample 0 of b",
        ]

    def test_nan_is_named_with_file_and_sample(self, folder):
        broken = SAMPLES[3:9].copy()
        broken[2, 1, 1] = np.nan
        path = next(folder.glob("b.*"))
        np.save(path, broken) if path.suffix == ".npy" else np.savez(path, x=broken, label=np.arange(6))
        with pytest.raises(DataError, match=r"^The array 'x' holds NaN in sample 2 of '.*/b\.np[yz]'\. Remove that"):
            list(source(folder, request()).batches())

    def test_a_file_is_not_opened_anew_for_each_batch(self, folder, monkeypatch):
        """If it were, a compressed one would be decompressed from its beginning each time."""
        opened, path_open = [], Path.open
        monkeypatch.setattr(Path, "open", lambda path, *mode: opened.append(path.stem) or path_open(path, *mode))
        given = source(folder, Request((X,), 1))
        opened.clear()
        assert len(list(given.batches())) == 10
        assert opened == [*"abc"]

    def test_two_passes_at_once_do_not_disturb_each_other(self, folder):
        given = source(folder, request())
        turns = zip(given.batches(), given.batches(2), range(0, 10, 4), strict=False)
        for first, second, begin in turns:
            np.testing.assert_array_equal(first.feeds["x"], SAMPLES[begin : begin + 4])
            np.testing.assert_array_equal(second.feeds["x"], SAMPLES[begin + 2 : begin + 6])

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
    def test_memory_does_not_grow_with_the_number_of_samples(self, tmp_path, save):
        for name in "ab":
            save(tmp_path / f"{name}.npz", x=np.zeros((10_000, 500), np.float32))
        tracemalloc.start()
        for batch in source(tmp_path, Request((InputSpec("x", "float32", (None, 500)),), 40)).batches():
            assert batch.feeds["x"].shape == (40, 500)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3_000_000  # of 40 million

    def test_the_label_of_a_file_with_one_sample_needs_no_axis(self, tmp_path):
        for number in range(3):
            np.savez(tmp_path / f"{number}.npz", x=SAMPLES[number : number + 1], label=np.int64(number * 2))
        (batch,) = source(tmp_path, request()).batches()
        assert batch.labels.tolist() == [0, 2, 4]


class TestSamplesOfDifferentShapes:
    FREE = InputSpec("x", "float32", (None, None))

    @pytest.mark.parametrize("axes", [1, 2], ids=["without a batch axis", "with a batch axis"])
    def test_each_file_is_fed_alone(self, tmp_path, axes):
        for length in (3, 5, 4):
            np.save(tmp_path / f"{length}.npy", np.ones((1, length)[-axes:], np.float32))
        given = source(tmp_path, request(self.FREE))
        assert isinstance(given, FeedSource)
        assert [batch.feeds["x"].shape for batch in given.batches()] == [(1, 3), (1, 4), (1, 5)]
        assert [batch.names for batch in given.batches()] == [(f"'{tmp_path}/{length}.npy'",) for length in (3, 4, 5)]
        assert len(list(source(Samples(tmp_path, first=2), request(self.FREE)).batches())) == 2

    def test_a_single_number_among_arrays_is_one_sample(self, tmp_path):
        np.save(tmp_path / "a.npy", np.ones(3, np.float32))
        np.save(tmp_path / "b.npy", np.float32(1))
        given = source(tmp_path, request(InputSpec("x", "float32", (None,))))
        assert [batch.feeds["x"].shape for batch in given.batches()] == [(3,), (1,)]

    def test_states_whose_first_axis_is_not_that_of_samples(self, tmp_path):
        inputs = (InputSpec("x", "float32", (None, 4)), InputSpec("state", "float32", (2, None, 3)))
        for number in range(3):
            np.savez(tmp_path / f"{number}.npz", x=np.ones((1, 4), np.float32), state=np.ones((2, 1, 3), np.float32))
        batches = list(source(tmp_path, request(*inputs)).batches())
        assert [(batch.samples, batch.feeds["state"].shape) for batch in batches] == [(1, (2, 1, 3))] * 3


class TestRefusals:
    def test_both_kinds(self, tmp_path):
        np.save(tmp_path / "a.npy", SAMPLES)
        np.savez(tmp_path / "b.npz", x=SAMPLES)
        with pytest.raises(DataError, match=r"holds npz files such as 'b\.npz' and npy files\. Keep one kind"):
            source(tmp_path, request())

    def test_nameless_arrays_for_two_inputs(self, tmp_path):
        np.save(tmp_path / "a.npy", SAMPLES)
        with pytest.raises(DataError, match=r"are for models with one input\. This one has 2\. Save npz files"):
            source(tmp_path, request(X, InputSpec("y", "float32", (None,))))

    def test_other_arrays_in_a_later_file(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=SAMPLES)
        np.savez(tmp_path / "b.npz", z=SAMPLES)
        with pytest.raises(DataError, match=r"^'.*/b\.npz' holds z, but '.*/a\.npz' holds x\. All files need the same"):
            source(tmp_path, request())

    def test_another_type_in_a_later_file(self, tmp_path):
        np.save(tmp_path / "a.npy", SAMPLES)
        np.save(tmp_path / "b.npy", SAMPLES.astype(np.float64))
        with pytest.raises(DataError, match=r"'x' is float64 in '.*/b\.npy', but float32 in '.*/a\.npy'\. All files"):
            source(tmp_path, request())

    @pytest.mark.parametrize(
        ("x", "shapes"),
        [(SAMPLES[:2], [(2, 1), (2,)]), (SAMPLES[:2], [(2, 1), (2, 2)]), (SAMPLES[0], [(), (1,)])],
        ids=["axes of batches", "batches", "samples"],
    )
    def test_labels_of_another_shape_in_a_later_file(self, tmp_path, x, shapes):
        for name, shape in zip("ab", shapes, strict=True):
            np.savez(tmp_path / f"{name}.npz", x=x, label=np.ones(shape, np.int64))
        first, second = (re.escape(str(shape)) for shape in shapes)
        with pytest.raises(
            DataError,
            match=rf"^The array 'label' has shape {second} in '.*/b\.npz', but {first} in '.*/a\.npz'\. "
            r"All files need samples of the same shape\.$",
        ):
            source(tmp_path, request())

    def test_labels_that_are_too_few_in_one_file_and_too_many_in_another(self, tmp_path):
        """As many in all as there are samples, so that only a look at each file finds it."""
        np.savez(tmp_path / "a.npz", x=SAMPLES[:3], label=np.arange(3))
        np.savez(tmp_path / "b.npz", x=SAMPLES[:3], label=np.arange(2))
        np.savez(tmp_path / "c.npz", x=SAMPLES[:3], label=np.arange(4))
        with pytest.raises(
            DataError,
            match=r"^All arrays in '.*/b\.npz' need the same number of samples on their first axis\. "
            r"Got \{'x': 3, 'label': 2\}\.$",
        ):
            source(tmp_path, request())

    def test_an_input_that_is_missing(self, tmp_path):
        np.savez(tmp_path / "a.npz", images=SAMPLES)
        with pytest.raises(DataError, match=r"^There is no array for the model input 'x'\."):
            source(tmp_path, request())

    def test_a_file_that_is_damaged(self, tmp_path):
        np.save(tmp_path / "a.npy", SAMPLES)
        (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:40])
        with pytest.raises(DataError, match=r"^'.*/b\.npy' cannot be read: EOF"):
            source(tmp_path, request())

    def test_a_file_that_was_cut_off(self, tmp_path):
        np.save(tmp_path / "a.npy", SAMPLES)
        (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
        with pytest.raises(DataError, match=r"^'.*/b\.npy' cannot be read: it was cut off\.$"):
            source(tmp_path, request())

    @pytest.mark.parametrize("kind", ["npy", "npz"])
    def test_a_file_that_disappears(self, tmp_path, kind):
        for name in "ab":
            path = tmp_path / f"{name}.{kind}"
            np.save(path, SAMPLES) if kind == "npy" else np.savez(path, x=SAMPLES)
        given = source(tmp_path, request())
        (tmp_path / f"a.{kind}").unlink()
        with pytest.raises(DataError, match=rf"^'.*/a\.{kind}' cannot be read: \[Errno 2\] No such file"):
            list(given.batches())

    def test_no_samples_in_any_file(self, tmp_path):
        for name in "ab":
            np.savez(tmp_path / f"{name}.npz", x=SAMPLES[:0], label=np.arange(0))
        with pytest.raises(DataError, match=r"^The arrays hold no samples: 'x' \(0, 4, 3\)\.$"):
            source(tmp_path, request())
