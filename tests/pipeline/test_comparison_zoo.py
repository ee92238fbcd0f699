"""Real models, compared tensor by tensor: the error at the end is that of the outputs, and it enters somewhere."""

from __future__ import annotations

import pytest
from tests.conftest import ZOO
from tests.zoo import preprocess

import onnxq
from onnxq.core.samples import Samples
from onnxq.pipeline.comparison import Models, compare


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["cifar10_resnet20", "silero_vad_16k"])
def test_the_last_layers_are_the_outputs(name):
    path, feeds = ZOO / "models" / f"{name}.onnx", list(preprocess().feeds(name, "calib", 32))
    found = compare(Models(path, onnxq.quantize(path, feeds).model), Samples(feeds), layers=True)
    inner = {layer.tensor: layer for layer in found.layers}
    assert len(inner) > 20
    assert found.marked
    for output, figures in found.models["INT8"].figures.items():
        assert inner[output].figures["sqnr"] == pytest.approx(figures["sqnr"], abs=0.1)
