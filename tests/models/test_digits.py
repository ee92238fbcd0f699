"""The shipped model and its data are what models/README.md says they are."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

MODELS = Path(__file__).parents[2] / "models"
MODEL = MODELS / "digits_resnet.onnx"


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load(MODEL).graph


@pytest.fixture(scope="module")
def calib() -> dict[str, np.ndarray]:
    with np.load(MODELS / "digits_calib.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def evaluation() -> dict[str, np.ndarray]:
    with np.load(MODELS / "digits_eval.npz") as arrays:
        return dict(arrays)


def logits(image: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": image})[0])


def test_model_is_valid_and_under_a_megabyte() -> None:
    onnx.checker.check_model(onnx.load(MODEL), full_check=True)
    assert MODEL.stat().st_size < 1_000_000


def test_batch_norms_are_unfolded_and_shortcuts_are_adds(graph: onnx.GraphProto) -> None:
    counts = Counter(node.op_type for node in graph.node)
    assert counts == {
        "Conv": 11,
        "BatchNormalization": 11,
        "Relu": 9,
        "Add": 4,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
        "Identity": 2,
    }


def test_batch_norms_are_in_inference_form(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            assert len(node.output) == 1
            assert {a.name: a.i for a in node.attribute}.get("training_mode", 0) == 0


def test_half_of_the_shortcuts_are_identities(graph: onnx.GraphProto) -> None:
    producer = {name: node.op_type for node in graph.node for name in node.output}
    operands = Counter(tuple(sorted(producer[i] for i in n.input)) for n in graph.node if n.op_type == "Add")
    assert operands == {("BatchNormalization", "Relu"): 2, ("BatchNormalization", "BatchNormalization"): 2}


def test_batch_size_is_free(graph: onnx.GraphProto, calib: dict[str, np.ndarray]) -> None:
    values = [*graph.input, *graph.output]
    dims = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    assert dims == {"image": ["N", 1, 8, 8], "logits": ["N", 10]}
    np.testing.assert_allclose(logits(calib["image"][:1]), logits(calib["image"][:7])[:1], rtol=1e-4, atol=1e-4)


def test_array_names_shapes_and_types(calib: dict[str, np.ndarray], evaluation: dict[str, np.ndarray]) -> None:
    def layout(arrays: dict[str, np.ndarray]) -> dict[str, tuple[tuple[int, ...], str]]:
        return {name: (array.shape, array.dtype.name) for name, array in arrays.items()}

    assert layout(calib) == {"image": ((192, 1, 8, 8), "float32")}
    assert layout(evaluation) == {"image": ((505, 1, 8, 8), "float32"), "label": ((505,), "int64")}


def test_images_are_sixteenths_of_pixel_counts(calib: dict[str, np.ndarray], evaluation: dict[str, np.ndarray]) -> None:
    for image in (calib["image"], evaluation["image"]):
        assert (image.min(), image.max()) == (0, 1)
        assert np.array_equal(image * 16, np.round(image * 16))


def test_no_calibration_image_is_evaluated(calib: dict[str, np.ndarray], evaluation: dict[str, np.ndarray]) -> None:
    seen, held_out = ({image.tobytes() for image in split["image"]} for split in (calib, evaluation))
    assert (len(seen), len(held_out), len(seen & held_out)) == (192, 505, 0)


def test_fp32_accuracy(evaluation: dict[str, np.ndarray]) -> None:
    assert np.mean(logits(evaluation["image"]).argmax(1) == evaluation["label"]) >= 0.98
