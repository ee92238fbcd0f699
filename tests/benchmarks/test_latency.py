"""The parts of benchmarks/latency.py that need no zoo: figures, bars, counts, and a race of two models."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from cases import find_cases  # noqa: E402
from engines import (  # noqa: E402
    AbsentError,
    OnnxRuntime,
    OpenVino,
    TensorRt,
    free_dims,
    onnxruntime_kernels,
    openvino_kernels,
)
from latency import Row, main, paired, parse, quantized, rival_of, rows  # noqa: E402
from race import race  # noqa: E402
from tools import Job, find_tools  # noqa: E402

DIGITS = next(case for case in find_cases("digits_resnet"))
FEED, _ = DIGITS.load("eval", 2)


class Told:
    """A report that only listens."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


class TestRatios:
    def test_turns_are_compared_with_the_turn_beside_them(self):
        slow_machine = [1, 1, 10, 10, 10]
        ratio = paired([2 * seconds for seconds in slow_machine], slow_machine)
        assert (ratio.median, ratio.low, ratio.high) == (2, 2, 2)

    def test_the_median_has_its_quartiles(self):
        assert str(paired([1, 2, 3, 4, 5], [2] * 5)) == "1.50 (1.00-2.00)"

    @pytest.mark.parametrize(("most", "verdict"), [(1.5, "met"), (1.2, "unclear"), (0.9, "MISSED")])
    def test_a_bar_within_the_noise_is_unclear(self, most, verdict):
        assert paired([1, 2, 3, 4, 5], [2] * 5).verdict(most) == verdict

    @pytest.mark.parametrize(
        ("tool", "rival"),
        [
            ("onnxq", "modelopt-max"),
            ("onnxq-mse", "modelopt-max"),
            ("onnxq-ort", "onnxruntime-uint8"),
            ("onnxq-ort-mse", "onnxruntime-uint8"),
            ("modelopt-max", None),
            ("FP32", None),
        ],
    )
    def test_each_placement_has_its_rival(self, tool, rival):
        assert rival_of(tool, ["FP32", "onnxq", "onnxruntime-uint8", "modelopt-max"]) == rival

    def test_a_rival_that_failed_leaves_a_dash(self):
        assert rival_of("onnxq", ["FP32", "onnxq"]) is None


class TestRows:
    RACE = {  # noqa: RUF012
        "FP32": {"seconds": [0.004] * 3, "int8": 0, "computes": 20, "left": {}},
        "onnxq": {"seconds": [0.002] * 3, "int8": 19, "computes": 20, "left": {"Reorder": 2}},
        "modelopt-max": {"seconds": [0.001] * 3, "int8": 19, "computes": 20, "left": {}},
        "onnxq-ort": {"refusal": "it says no"},
    }

    def rows(self, engine="openvino", model="cifar10_resnet20", batch=8):
        return {row.tool: row for row in rows(engine, model, batch, self.RACE)}

    def test_a_row_has_time_ratios_kernels_and_bars(self):
        assert self.rows()["onnxq"].cells == [
            *("cifar10_resnet20", "8", "onnxq", "2.000", "0.50 (0.50-0.50)", "2.00 (2.00-2.00)", "19/20", "2 Reorder"),
            "1.05 of rival: MISSED, 0.625 of FP32: met",
        ]

    def test_fp32_is_compared_with_nothing(self):
        assert self.rows()["FP32"].cells[3:6] == ["4.000", "-", "-"]

    def test_a_refusal_is_told(self):
        assert self.rows()["onnxq-ort"].left == "refused: it says no"

    def test_bars_hold_for_their_engine_model_and_batch_only(self):
        assert [bar.against for bar, _ in self.rows(batch=1)["onnxq"].bars] == ["rival"]
        assert not list(self.rows(model="fastestdet")["onnxq"].bars)
        assert not list(self.rows(engine="onnxruntime")["onnxq"].bars)

    def test_a_row_without_figures_has_no_bars(self):
        assert not list(Row("openvino", "cifar10_resnet20", 8, "onnxq").bars)


class TestCounts:
    def test_openvino_layers(self):
        layers = [
            ("Const", "i8", "i8"),
            ("Convolution", "u8", "u8"),
            ("Convolution", "u8", "f32"),
            ("FullyConnected", "f32", "f32"),
            ("Subgraph", "u8", "f32,u8"),
            ("Eltwise", "f32", "f32"),
            ("Reorder", "u8", "u8"),
            ("Reshape", "f32", "f32"),
        ]
        keys = ("layerType", "runtimePrecision", "outputPrecisions")
        kernels = openvino_kernels(dict(zip(keys, layer, strict=True)) for layer in layers)
        assert (kernels.int8, kernels.computes) == (2, 3)
        assert kernels.left == {"write float": 1, "pointwise": 2, "Reorder": 1, "read float": 1}

    def test_onnxruntime_nodes(self):
        chain = ["QuantizeLinear", "Transpose", "QLinearConv", "MaxPool", "DequantizeLinear", "Relu", "FusedConv"]
        nodes = [helper.make_node(name, [f"t{place}"], [f"t{place + 1}"]) for place, name in enumerate(chain)]
        kernels = onnxruntime_kernels(helper.make_graph(nodes, "g", [], []))
        assert (kernels.int8, kernels.computes) == (1, 2)
        assert kernels.left == {"Q/DQ": 2, "float": 1}

    def test_named_dimensions_get_their_sizes(self):
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H"])
        assert free_dims(helper.make_graph([], "g", [value], []), {"x": np.zeros((8, 3, 5))}) == {"N": 8, "H": 5}


class TestTools:
    def test_a_target_comes_in_front_of_the_calibrator(self):
        plain, both = find_tools(["onnxq-ort", "onnxq-ort-percentile-99.9"], {}, "python")
        job = Job(Path("in.onnx"), Path("out.onnx"), Path("calib.npz"))
        assert plain.command(job)[-2:] == ["--target", "onnxruntime"]
        assert both.command(job)[-6:-3] == ["--target", "onnxruntime", "--calibrator"]

    def test_what_a_tool_cannot_do_is_a_line(self, tmp_path):
        report, (tool,) = Told(), find_tools(["onnxq-magic"], {}, sys.executable)
        models = dict(quantized(DIGITS, [tool], tmp_path, report))
        assert list(models) == ["FP32"]
        assert report.lines[0].startswith("- digits_resnet: onnxq-magic fails: error: ")

    def test_files_that_are_there_are_not_made_again(self, tmp_path):
        (tmp_path / "digits_resnet.onnxq.onnx").touch()
        assert "onnxq" in dict(quantized(DIGITS, find_tools(["onnxq"], {}, "no-python"), tmp_path, Told()))

    def test_onnxruntimes_own_quantization_has_uint8_activations(self, tmp_path):
        models = dict(quantized(DIGITS, find_tools(["onnxruntime-uint8"], {}, sys.executable), tmp_path, Told()))
        graph = onnx.load(models["onnxruntime-uint8"]).graph
        types = {value.data_type for value in graph.initializer if value.name.endswith("zero_point")}
        assert types >= {TensorProto.UINT8, TensorProto.INT8}
        assert OnnxRuntime(1).open(models["onnxruntime-uint8"], FEED).kernels.int8 == 12


class TestRace:
    def test_all_run_in_turn_and_a_model_that_is_refused_says_why(self, tmp_path):
        (tmp_path / "broken.onnx").write_bytes(b"no model")
        models = {"a": DIGITS.model, "broken": tmp_path / "broken.onnx", "b": DIGITS.model}
        told = race(OnnxRuntime(1), models, FEED, rounds=3)
        assert list(told) == ["a", "broken", "b"]
        assert [len(told[name]["seconds"]) for name in ("a", "b")] == [3, 3]
        assert "Error parsing" in told["broken"]["refusal"]

    def test_openvino_counts_the_convolutions_of_a_float_model(self):
        pytest.importorskip("openvino")
        told = race(OpenVino(1), {"FP32": DIGITS.model}, FEED, rounds=1)
        assert (told["FP32"]["int8"], told["FP32"]["computes"]) == (0, 12)

    def test_openvino_tells_what_is_wrong(self, tmp_path):
        pytest.importorskip("openvino")
        (tmp_path / "broken.onnx").write_bytes(b"no model")
        assert race(OpenVino(1), {"m": tmp_path / "broken.onnx"}, FEED, rounds=1)["m"]["refusal"]


class TestCommand:
    @pytest.mark.parametrize("engine", [OpenVino, TensorRt])
    def test_an_absent_engine_says_what_to_install(self, engine, monkeypatch):
        for package in ("openvino", "tensorrt"):
            monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(AbsentError, match=r"is not installed.*pip install"):
            engine(1)

    def test_tables_are_printed_and_written(self, tmp_path, capsys):
        out = tmp_path / "table.md"
        options = ["--models", "digits*", "--tools", "onnxq", "--engines", "onnxruntime", "--rounds", "2"]
        assert main([*options, "--out", str(out)]) == 0
        lines = out.read_text().splitlines()
        assert [line.split(" | ")[:3] for line in lines if line.startswith("| digits")] == [
            ["| digits_resnet", batch, tool] for batch in "18" for tool in ("FP32", "onnxq")
        ]
        assert capsys.readouterr().out.strip() == out.read_text().strip()

    def test_no_model_of_that_name(self, capsys):
        assert main(["--models", "nothing"]) == 2
        assert "No model is called nothing. ONNXQ_ZOO names" in capsys.readouterr().err

    def test_an_unknown_engine_lists_the_known(self, capsys):
        with pytest.raises(SystemExit):
            parse(["--engines", "magic"])
        assert "Choose from: openvino, onnxruntime, tensorrt" in capsys.readouterr().err
