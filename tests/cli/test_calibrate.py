"""`onnxq calibrate` and `onnxq merge`, and what `onnxq quantize` makes of their files."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import onnx
import pytest

from onnxq import load_statistics

SKIPPED = "/blocks/blocks.2/conv2/Conv"
CALIBRATE = ("calibrate", "model.onnx", "stats.npz", "--calib", "calib.npz")


@pytest.fixture
def whole(desk):
    """The statistics of all samples."""
    desk.run(*CALIBRATE, "-q")
    content = (desk / "stats.npz").read_bytes()
    (desk / "stats.npz").unlink()
    return content


def measured(desk, *options, calib="calib.npz"):
    desk.run("calibrate", "model.onnx", "stats.npz", "--calib", calib, "-q", *options)
    content = (desk / "stats.npz").read_bytes()
    (desk / "stats.npz").unlink()
    return content


class TestStatistics:
    def test_nothing_but_the_statistics_is_written(self, desk):
        before = desk.files()
        outcome = desk.run(*CALIBRATE, "-q")
        assert (outcome.out, outcome.err) == ("", "")
        assert desk.files().keys() - before.keys() == {"stats.npz"}

    @pytest.mark.parametrize(
        "options",
        [
            *(("--batch-size", size) for size in (1, 7, 1000)),
            *(("--max-memory", size) for size in ("20kB", "300KiB", "2GB")),
            ("--provider", "cpu", "--session-option", "intra_op_num_threads=1"),
            ("--session-option", "session.intra_op.allow_spinning=0"),
        ],
        ids=str,
    )
    def test_no_way_to_run_the_model_makes_a_difference(self, desk, whole, options):
        assert measured(desk, *options) == whole

    def test_nor_does_the_order_of_the_samples(self, desk, whole, calib):
        order = np.random.default_rng(0).permutation(len(calib["image"]))
        desk.save("shuffled.npz", image=calib["image"][order])
        assert measured(desk, calib="shuffled.npz") == whole

    def test_merged_parts_are_the_whole(self, desk, whole, calib):
        for number, part in enumerate(np.array_split(calib["image"], [10, 11, 100])):
            desk.save(f"part{number}.npz", image=part)
            (desk / f"s{number}.npz").write_bytes(measured(desk, calib=f"part{number}.npz"))
        outcome = desk.run("merge", *(f"s{number}.npz" for number in (2, 0, 3, 1)), "-o", "merged.npz")
        assert outcome.out.startswith(f"{len(calib['image'])} samples, ")
        assert (desk / "merged.npz").read_bytes() == whole

    def test_the_first_samples_only(self, desk, calib):
        desk.save("first.npz", image=calib["image"][:33])
        assert measured(desk, "--num-samples", 33) == measured(desk, calib="first.npz")

    def test_as_json(self, desk):
        found = json.loads(desk.run(*CALIBRATE, "--json").out)
        stored = load_statistics(desk / "stats.npz")
        assert found["samples"] == stored.samples
        assert found["tensors"].keys() == stored.tensors.keys()

    def test_several_passes_are_announced(self, desk):
        outcome = desk.run(*CALIBRATE, "--max-memory", "40kB", "--batch-size", 8)
        assert "of --max-memory: there are" in " ".join(outcome.err.split())

    def test_the_slowest_tensors_are_named_with_v(self, desk):
        assert "Slowest to count: '" in desk.run(*CALIBRATE, "-v").err
        assert "Slowest" not in desk.run(*CALIBRATE).err


class TestQuantizingWithThem:
    @pytest.mark.parametrize("calibrator", ["max", "mse", "entropy", "percentile"])
    def test_the_model_is_that_of_the_samples(self, desk, whole, calibrator):
        (desk / "stats.npz").write_bytes(whole)
        expected = desk.quantize("--calibrator", calibrator)
        desk.run("quantize", "model.onnx", "o.onnx", "--stats", "stats.npz", "-q", "--calibrator", calibrator)
        assert (desk / "o.onnx").read_bytes() == expected

    def test_fidelity_is_measured_on_evaluation_data_only(self, desk, whole):
        (desk / "stats.npz").write_bytes(whole)
        command = ("quantize", "model.onnx", "o.onnx", "--stats", "stats.npz", "--json")
        assert json.loads(desk.run(*command).out)["fidelity"] is None
        assert json.loads(desk.run(*command, "--eval", "eval.npz").out)["fidelity"]["samples"] > 0

    def test_what_is_skipped_later_need_not_be_left_out_before(self, desk, whole):
        (desk / "stats.npz").write_bytes(whole)
        expected = desk.quantize("--skip", SKIPPED)
        desk.run("quantize", "model.onnx", "o.onnx", "--stats", "stats.npz", "-q", "--skip", SKIPPED)
        assert (desk / "o.onnx").read_bytes() == expected

    def test_statistics_of_another_model_are_refused(self, desk, whole):
        (desk / "stats.npz").write_bytes(whole)
        model = onnx.load(desk / "model.onnx")
        weight = max(model.graph.initializer, key=lambda tensor: tensor.ByteSize())
        array = onnx.numpy_helper.to_array(weight).copy()
        array.flat[0] += 1
        weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
        onnx.save(model, desk / "model.onnx")
        command = ["quantize", "model.onnx", "o.onnx", "--stats", "stats.npz"]
        desk.refused(command, r"The statistics belong to another model: \w+, this one is \w+\. Make them anew with")

    def test_statistics_of_another_plan_are_refused(self, desk):
        desk.run(*CALIBRATE, "-q", "--skip", SKIPPED)
        command = ["quantize", "model.onnx", "o.onnx", "--stats", "stats.npz"]
        desk.refused(command, r"The plan quantizes '.*', which the statistics lack\. Make them anew")

    def test_both_are_refused(self, desk, whole):
        (desk / "stats.npz").write_bytes(whole)
        desk.refuses_to_quantize(r"--stats takes the place of --calib", options=["--stats", "stats.npz"])

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello"], ids=["empty", "zip", "text"])
    def test_another_file_is_refused(self, desk, content):
        (desk / "stats.npz").write_bytes(content)
        command = ["quantize", "model.onnx", "o.onnx", "--stats", "stats.npz"]
        desk.refused(
            command, r"'stats\.npz' holds no statistics, or was damaged: .* `onnxq calibrate` makes such files\."
        )

    def test_samples_are_no_statistics(self, desk):
        command = ["quantize", "model.onnx", "o.onnx", "--stats", "calib.npz"]
        desk.refused(command, r"'calib\.npz' holds no statistics, or was damaged: 'onnxq_statistics'\.")

    def test_a_missing_file_is_refused(self, desk):
        command = ["quantize", "model.onnx", "o.onnx", "--stats", "gone.npz"]
        desk.refused(command, r"The statistics 'gone\.npz' cannot be read: No such file or directory\.")


class TestMergeRefusals:
    def test_other_tensors(self, desk, whole):
        (desk / "a.npz").write_bytes(whole)
        (desk / "b.npz").write_bytes(measured(desk, "--skip", SKIPPED))
        desk.refused(
            ["merge", "a.npz", "b.npz", "-o", "c.npz"],
            r"Only one of the statistics has a histogram of '.*'\. Make both",
        )

    def test_other_ranges(self, desk, whole):
        (desk / "a.npz").write_bytes(whole)
        (desk / "b.npz").write_bytes(measured(desk, "--rest", "fp32"))
        desk.refused(["merge", "a.npz", "b.npz", "-o", "c.npz"], r"Statistics of different tensors cannot be merged")

    def test_the_output_is_one_of_the_inputs(self, desk, whole):
        (desk / "a.npz").write_bytes(whole)
        desk.refused(["merge", "a.npz", "a.npz", "-o", "a.npz"], r"is the input 'a\.npz'")


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (("--max-memory", "much"), r"'much' is no size\. Give one such as 256MB or 1\.5GiB\."),
            (("--max-memory", "0"), r"'0' is no size\."),
            (("--provider", "cudda"), r"There is no provider 'cudda'\. Did you mean 'cuda'"),
            (("--provider", "cuda"), r"on this machine has no provider 'cuda', only: .*Install the package"),
            (("--session-option", "threads"), r"'threads' is no session option\. Give one as NAME=VALUE\."),
            (
                ("--session-option", "intra_op_threads=2"),
                r"no session option 'intra_op_threads'\. Did you mean",
            ),
            (("--session-option", "intra_op_num_threads=two"), r"cannot be 'two'\. Give a whole number\."),
            (("--num-samples", "0"), r"The number of samples must be at least 1\. Got 0\."),
            (("--preprocess", "imagenet"), r"but only images in a folder are preprocessed\. Leave out --preprocess\."),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_options_that_cannot_be(self, desk, options, text):
        desk.refused([*CALIBRATE, *options], text)

    def test_the_model_as_output(self, desk):
        desk.refused(["calibrate", "model.onnx", "model.onnx", "--calib", "calib.npz"], r"is the input 'model\.onnx'")

    def test_a_bad_sample_leaves_nothing_behind(self, desk, calib):
        broken = np.concatenate([calib["image"], calib["image"][:5]])
        broken[-2] = np.nan
        desk.save("calib.npz", image=broken)
        number = len(broken) - 2
        desk.refused(CALIBRATE, rf"'image' holds NaN in sample {number} of 'calib\.npz'\. Remove that sample")


class TestResuming:
    """With many samples, so that a run takes seconds."""

    @pytest.fixture
    def many(self, desk, calib):
        desk.save("calib.npz", image=np.tile(calib["image"], (60, 1, 1, 1)))
        return measured(desk)

    @pytest.mark.slow
    @pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
    def test_a_run_that_is_stopped_at_any_moments_ends_as_if_it_had_not_been(self, desk, start, many, stop):
        order, runs = np.random.default_rng(0), 0
        while not (desk / "stats.npz").exists():
            process = start(*CALIBRATE, "--resume", "--batch-size", 1 + runs % 2, "--max-memory", "30kB")
            time.sleep(order.uniform(1.0, 3.0))
            if runs < 6:
                process.send_signal(stop)
            process.communicate(timeout=120)
            runs += 1
        assert runs > 1
        assert (desk / "stats.npz").read_bytes() == many
        assert not (desk / "stats.npz.partial").exists()

    @pytest.fixture
    def stopped(self, desk, start, many):
        process = start(*CALIBRATE, "--batch-size", 1, "--max-memory", "100kB")
        end = time.monotonic() + 60
        while not (desk / "stats.npz.partial").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        return process

    @pytest.mark.slow
    def test_ctrl_c_says_how_to_go_on(self, desk, stopped, many):
        _, err = stopped.communicate(timeout=60)
        assert err.endswith("interrupted; 'stats.npz.partial' has what was counted: go on with --resume\n")
        assert (stopped.returncode, (desk / "stats.npz").exists()) == (130, False)
        assert measured(desk, "--resume") == many

    @pytest.mark.slow
    def test_other_samples_or_another_model_are_refused(self, desk, stopped, calib):
        stopped.communicate(timeout=60)
        desk.save("other.npz", image=calib["image"][::-1])
        command = ["calibrate", "model.onnx", "stats.npz", "--resume"]
        desk.refused([*command, "--calib", "other.npz"], r"was begun with other samples, or with samples prepared in")
        desk.refused([*command, "--calib", "calib.npz", "--num-samples", 1], r"there are only 1\. Start again without")

    @pytest.mark.slow
    def test_a_bad_sample_far_behind_says_how_to_go_on(self, desk, calib, many):
        broken = np.tile(calib["image"], (60, 1, 1, 1))
        broken[-2] = np.nan
        desk.save("calib.npz", image=broken)
        outcome = desk.call([*CALIBRATE, "--batch-size", "1", "--max-memory", "100kB"])
        kept = "Remove that sample. 'stats.npz.partial' has what was counted before: then go on with --resume.\n"
        assert (outcome.code, outcome.err[-len(kept) :]) == (2, kept)
        desk.save("calib.npz", image=np.tile(calib["image"], (60, 1, 1, 1)))
        assert measured(desk, "--resume") == many

    @pytest.mark.slow
    def test_without_resume_it_starts_again_and_says_so(self, desk, stopped, many):
        stopped.communicate(timeout=60)
        outcome = desk.run(*CALIBRATE)
        assert "'stats.npz.partial' of an interrupted run is given up." in outcome.err
        assert (desk / "stats.npz").read_bytes() == many
        assert not (desk / "stats.npz.partial").exists()

    def test_there_need_be_nothing_to_resume(self, desk, whole):
        assert measured(desk, "--resume") == whole


def test_a_calibration_cache_takes_the_place_of_samples(desk):
    expected = onnx.load_from_string(desk.quantize("--calibrator", "max", "--rest", "fp32"))
    scales = {t.name: onnx.numpy_helper.to_array(t) for t in expected.graph.initializer}
    pairs = {node.input[0]: node.input[1] for node in expected.graph.node if node.op_type == "QuantizeLinear"}
    lines = [f"{tensor}: {scales[scale].astype('>f4').tobytes().hex()}" for tensor, scale in pairs.items()]
    (desk / "calib.cache").write_text("TRT-8601-EntropyCalibration2\n" + "\n".join(lines) + "\n")
    command = (
        "quantize",
        "model.onnx",
        "o.onnx",
        "--tensorrt-cache",
        "calib.cache",
        "--calibrator",
        "max",
        "--rest",
        "fp32",
    )
    report = json.loads(desk.run(*command, "--json").out)
    assert (desk / "o.onnx").read_bytes() == (desk / "out.onnx").read_bytes()
    assert report["calibration_samples"] == 0
    assert report["known"][1] == len(pairs)

    (desk / "calib.cache").write_text("TRT-8601-EntropyCalibration2\n" + "\n".join(lines[1:]) + "\n")
    desk.refused(command, r"Neither the TensorRT cache nor measurements give a scale to 1 of the \d+ act")
    desk.run(*command, "-q", "--calib", "calib.npz")
    assert (desk / "o.onnx").read_bytes() == (desk / "out.onnx").read_bytes()


def test_fp16_asks_for_ranges_where_all_scales_are_known(desk):
    desk.quantize()
    model = onnx.load(desk / "out.onnx")
    pairs = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    lines = [f"{tensor}: 3c010a14" for tensor in sorted(pairs)]
    (desk / "calib.cache").write_text("TRT-8601-EntropyCalibration2\n" + "\n".join(lines) + "\n")
    command = ["quantize", "model.onnx", "o.onnx", "--tensorrt-cache", "calib.cache"]
    desk.refused(
        command, r"All scales are known, but FP16 is only safe where .* Give samples with --calib, or .*: --rest fp32"
    )
