"""Names that look like markup are printed as they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxq.cli import main


@pytest.mark.parametrize("name", ["y[/z]", "y[red]", "y:smile:"])
def test_names_that_look_like_markup(name, tmp_path, capsys):
    weight = numpy_helper.from_array(np.ones((16, 16, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], name), helper.make_node("Relu", ["c"], [name], "r[/x]")],
        "names",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), tmp_path / "m.onnx")
    np.savez(tmp_path / "c.npz", x=np.ones((2, 16, 8, 8), np.float32))
    files = [str(tmp_path / "m.onnx"), str(tmp_path / "o.onnx"), "--calib", str(tmp_path / "c.npz")]
    assert main(["quantize", *files, "-v"]) == 0
    assert main(["plan", files[0]]) == 0
    assert capsys.readouterr().out.count(name) >= 2
