"""Inputs that `polygraphy run --save-inputs` wrote."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest

from onnxq.core.batch import InputSpec
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import DataError

REQUEST = Request((InputSpec("x", "float32", (None, 2)), InputSpec("rate", "int64", ())))


def encoded(array):
    file = io.BytesIO()
    np.save(file, array)
    return {"array": base64.b64encode(file.getvalue()).decode(), "polygraphy_class": "ndarray"}


@pytest.fixture
def saved(tmp_path):
    def saved(document):
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "inputs.json").write_text(text)
        return tmp_path / "inputs.json"

    return saved


def entry(number):
    return {"x": encoded(np.full((1, 2), number, np.float32)), "rate": encoded(np.int64(number))}


def test_each_entry_is_fed(saved):
    path = saved([entry(number) for number in range(3)])
    given = source(path, REQUEST)
    batches = list(given.batches())
    assert len(given) == 3
    assert [(int(batch.feeds["rate"]), batch.feeds["x"][0, 1]) for batch in batches] == [(0, 0), (1, 1), (2, 2)]
    assert batches[2].names == (f"feed 2 of '{path}'",)


def test_a_file_that_polygraphy_itself_wrote(tmp_path):
    polygraphy = pytest.importorskip("polygraphy.json")
    array = np.float32([[1, 2]])
    polygraphy.save_json([{"x": array, "rate": np.array(16000)}], str(tmp_path / "inputs.json"))
    (batch,) = source(tmp_path / "inputs.json", REQUEST).batches()
    assert (batch.feeds["x"].tolist(), int(batch.feeds["rate"])) == ([[1, 2]], 16000)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("", r"cannot be read as JSON: Expecting value"),
        ('[{"x": ', r"cannot be read as JSON: "),
        ({"x": 1}, r"holds no list of feed dicts, as `polygraphy run --save-inputs` writes it\.$"),
    ],
    ids=["empty", "cut off", "no list"],
)
def test_another_document(saved, document, text):
    path = saved(document)
    with pytest.raises(DataError, match=f"^'{re.escape(str(path))}' {text}"):
        source(path, REQUEST)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.5, r"is a float\. Save NumPy arrays\.$"),
        ({"array": "", "polygraphy_class": "Tensor"}, r"is a Tensor\. Save NumPy arrays\.$"),
        ({"array": "AAAA", "polygraphy_class": "ndarray"}, r"is damaged: "),
        ({"array": "not base64!", "polygraphy_class": "ndarray"}, r"is damaged: "),
        ({"polygraphy_class": "ndarray"}, r"is damaged: 'array'\.$"),
    ],
    ids=["number", "torch", "short", "no base64", "nothing"],
)
def test_an_array_that_is_none(saved, value, text):
    path = saved([entry(0), {**entry(1), "x": value}])
    with pytest.raises(DataError, match=f"^The array 'x' in feed 1 of '{re.escape(str(path))}' {text}"):
        source(path, REQUEST)


def test_an_entry_that_is_no_dict(saved):
    with pytest.raises(DataError, match=r"^What is read as feed 1 of '.*' is no dict of arrays by input name\.$"):
        source(saved([entry(0), 5]), REQUEST)
