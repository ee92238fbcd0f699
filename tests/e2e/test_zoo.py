"""Real third-party models: each comes out valid, close to FP32, and in INT8 where TensorRT compiles it.

The figures are bars, not measurements: SQNR half a decibel below the best that NVIDIA ModelOpt 0.47 reached on the
same samples, INT8 computes as many as the placement rules make eligible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from tests.conftest import ZOO
from tests.zoo import preprocess

import onnxq
from onnxq.errors import RuntimeFailure
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.setup import Setup
from onnxq.runtimes.tensorrt import compile_ahead_of_time, compute_nodes, int8_nodes


@dataclass(frozen=True)
class Bar:
    """What is asked of a model.

    Attributes:
        calib: calibration samples.
        eval: evaluation samples.
        decibels: least SQNR of all outputs together.
        computes: least number of Conv, Gemm and MatMul nodes that read INT8 in TensorRT's plan; None if TensorRT for
            RTX cannot build the FP32 model either.
        points: labelled models may lose so many points of top-1 accuracy; None for those without labels.
    """

    calib: int
    eval: int
    decibels: float
    computes: int | None
    points: float | None = None


BARS = {
    "cifar10_resnet20": Bar(512, 1000, 25.3, 19, 0.5),
    "cifar10_resnet56": Bar(256, 1000, 22.8, 55, 0.5),
    "cifar10_resnet8_mlperf": Bar(512, 1000, 23.1, 9, 0.5),
    "cifar10_repvgg": Bar(512, 1000, 26.6, 11, 0.5),
    "cifar10_mobilenetv2": Bar(512, 1000, 29.8, 22, 0.5),
    "cifar10_cct": Bar(512, 1000, 27.9, 26, 0.5),
    "imagenet_squeezenet": Bar(100, 500, 18.0, 26, 1.0),  # on 500 images the standard error of the loss is 1 point
    "vww_mobilenet_mlperf": Bar(100, 200, 23.7, 27),
    "face_rfb320": Bar(32, 16, 39.4, 51),
    "fastestdet": Bar(32, 16, 14.1, 70),
    "yunet_n_320": Bar(32, 16, 21.5, 47),
    "ad_autoencoder_mlperf": Bar(64, 96, 38.0, 8),
    "silero_vad_16k": Bar(200, 100, 20.0, None),
}


@cache
def quantized(name: str) -> onnxq.Result:
    path, bar = ZOO / "models" / f"{name}.onnx", BARS[name]
    if name == "silero_vad_16k":  # its inputs have no common sample axis
        return onnxq.quantize(path, list(preprocess().feeds(name, "calib", bar.calib)), evaluation=held_out(name))
    inputs, _ = preprocess().load(name, "calib", bar.calib)
    return onnxq.quantize(path, inputs, evaluation=held_out(name))


def outputs(model: onnx.ModelProto, name: str) -> Iterator[Mapping[str, Any]]:
    session = Session(model, setup=Setup(as_written=True))
    return (session(feed) for feed in preprocess().feeds(name, "eval", min(BARS[name].eval, 200)))


@pytest.mark.zoo
@pytest.mark.parametrize("name", BARS)
class TestZoo:
    def test_it_stays_close_to_fp32(self, name: str) -> None:
        signal = noise = 0.0
        original = onnx.load(ZOO / "models" / f"{name}.onnx")
        for before, after in zip(outputs(original, name), outputs(quantized(name).model, name), strict=True):
            for output, reference in before.items():
                signal += float(np.sum(reference.astype(np.float64) ** 2))
                noise += float(np.sum((reference.astype(np.float64) - after[output]) ** 2))
        assert 10 * np.log10(signal / noise) >= BARS[name].decibels

    def test_it_keeps_its_accuracy(self, name: str) -> None:
        allowed, fidelity = BARS[name].points, quantized(name).report.fidelity
        assert (allowed is not None) == bool(fidelity.baselines)
        for output, before in fidelity.baselines.items():
            assert fidelity.figures[output]["top1"] >= before["top1"] - (allowed or 0.0)

    def test_every_node_left_in_float_says_why(self, name: str) -> None:
        made = quantized(name)
        names = {d.site.node for d in made.plan.decisions if d.reason and d.source}
        view_nodes = {n.name for n in made.model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul", "Add", "Concat")}
        readers_of_floats = view_nodes - {n.name for n in made.model.graph.node if _reads_integers(made.model, n)}
        assert readers_of_floats <= names

    @pytest.mark.tensorrt
    def test_tensorrt_builds_it_and_reads_int8(self, name: str) -> None:
        wanted = BARS[name].computes
        if wanted is None:
            with pytest.raises(RuntimeFailure, match="parses the model but cannot build it"):
                compile_ahead_of_time(onnx.load(ZOO / "models" / f"{name}.onnx"))
            return
        plan = compile_ahead_of_time(quantized(name).model)
        eligible = {d.site.node for d in quantized(name).plan.quantized} & compute_nodes(plan)
        assert int8_nodes(plan) >= eligible
        assert len(int8_nodes(plan)) >= wanted

    def test_its_rest_in_fp16_costs_next_to_nothing(self, name: str) -> None:
        short = quantized(name)
        long = onnxq.quantize(
            ZOO / "models" / f"{name}.onnx", short.statistics, onnxq.Recipe(rest="fp32"), evaluation=held_out(name)
        )
        figures = (short.report.fidelity.figures, long.report.fidelity.figures)
        decibels = [np.mean([figure["sqnr"] for figure in of.values()]) for of in figures]
        assert decibels[0] >= decibels[1] - 0.3

    @pytest.mark.tensorrt
    def test_no_kernel_multiplies_in_fp32_without_a_reason(self, name: str) -> None:
        if BARS[name].computes is None:
            pytest.skip("TensorRT for RTX cannot build the FP32 model either")
        result = quantized(name)
        kept = {node for nodes in result.report.rest.kept.values() for node in nodes}
        for layer in compile_ahead_of_time(result.model).computes:
            wide = [t for t in (*layer.inputs, *layer.constants) if t.dtype == "Float" and len(t.dims) > 1]
            assert layer.reads_int8 or not wide or kept.intersection(layer.onnx_nodes), layer


def _reads_integers(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether `node` computes shapes rather than activations."""
    types = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.input)}
    types |= {t.name: t.data_type for t in model.graph.initializer}
    return all(types.get(tensor) == onnx.TensorProto.INT64 for tensor in node.input)


def held_out(name: str) -> Any:
    """The evaluation data."""
    if name == "silero_vad_16k":
        return list(preprocess().feeds(name, "eval", BARS[name].eval))
    inputs, labels = preprocess().load(name, "eval", BARS[name].eval)
    return inputs if labels is None else {**inputs, "label": labels}
