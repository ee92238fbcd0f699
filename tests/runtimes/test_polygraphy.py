"""The edge to Polygraphy: models side by side, its JSON, and what is said where something is missing."""

from __future__ import annotations

import importlib.machinery
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import helper
from polygraphy.backend.onnxrt import OnnxrtRunner
from polygraphy.comparator import RunResults
from polygraphy.exception import PolygraphyException
from polygraphy.json import load_json
from polygraphy.logger import G_LOGGER

from onnxq.core.batch import Batch
from onnxq.core.observer import Silent
from onnxq.errors import ModelError, OutputError, RuntimeFailure
from onnxq.runtimes.onnxruntime import Session
from onnxq.runtimes.polygraphy import Engine, Record, check_package, run


def model(op="Relu"):
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "g", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def batches(count=3):
    return [Batch({"x": np.float32([[i, -i]])}, 1, (f"sample {i}",)) for i in range(count)]


def sessions():
    return {"FP32": Session(model("Relu")), "INT8": Session(model("Neg"))}


class Ear(Silent):
    def __init__(self):
        self.heard = []

    def detail(self, text):
        self.heard.append(text)


class TestRun:
    def test_each_batch_comes_with_what_each_model_made_of_it(self):
        found = [
            (batch.names, {n: o["y"].tolist() for n, o in out.items()})
            for batch, out in run(sessions(), batches(), Silent())
        ]
        assert found == [((f"sample {i}",), {"FP32": [[i, 0.0]], "INT8": [[-i, i]]}) for i in range(3)]

    def test_batches_are_read_one_by_one(self):
        read = []

        def counted():
            for batch in batches():
                read.append(batch)
                yield batch

        stream = run(sessions(), counted(), Silent())
        next(stream)
        assert len(read) == 1
        stream.close()

    def test_the_log_goes_to_the_observer_and_nowhere_else(self, capsys):
        ear = Ear()
        list(run(sessions(), batches(), ear))
        assert any("Activating" in text for text in ear.heard)
        assert capsys.readouterr() == ("", "")

    def test_the_logger_is_left_as_it_was(self):
        before = G_LOGGER.use_python_logging_system, G_LOGGER.colors
        list(run(sessions(), batches(), Silent()))
        assert (G_LOGGER.use_python_logging_system, G_LOGGER.colors) == before

    def test_what_polygraphy_refuses_is_one_sentence(self, capsys):
        wrong = [Batch({"x": np.float32([[1, 2, 3]])}, 1, ("one",))]
        with pytest.raises(RuntimeFailure, match=r"^Polygraphy stopped: .*'?x'?.*shape"):
            list(run(sessions(), wrong, Silent()))
        assert capsys.readouterr() == ("", "")


class TestRecord:
    @pytest.fixture
    def saved(self, tmp_path):
        record = Record(inputs=True, outputs=True)
        for batch, found in run(sessions(), batches(), Silent()):
            record.add(batch.feeds, found)
        record.save_inputs(tmp_path / "in.json")
        record.save_outputs(tmp_path / "out.json")
        return tmp_path

    def test_polygraphy_loads_the_inputs(self, saved):
        found = load_json(str(saved / "in.json"))
        assert [feed["x"].tolist() for feed in found] == [[[i, -i]] for i in range(3)]

    def test_polygraphy_loads_the_outputs_of_each_model(self, saved):
        found = RunResults.load(str(saved / "out.json"))
        assert {name: [out["y"].tolist() for out in outs] for name, outs in found.items()} == {
            "FP32": [[[i, 0.0]] for i in range(3)],
            "INT8": [[[-i, i]] for i in range(3)],
        }

    def test_a_file_that_cannot_be_written_is_one_sentence(self):
        with pytest.raises(
            OutputError, match=r"^The output '/dev/full/in\.json' cannot be written: Not a directory\.$"
        ):
            Record(inputs=True).save_inputs(Path("/dev/full/in.json"))

    def test_what_was_not_asked_for_is_not_kept(self, tmp_path):
        record = Record(inputs=True)
        record.add({"x": np.float32([1])}, {"FP32": {"y": np.float32([1])}})
        record.save_outputs(tmp_path / "out.json")
        assert list(RunResults.load(str(tmp_path / "out.json")).keys()) == []


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "polygraphy"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "polygraphy", None)
    message = re.escape("Comparing needs Polygraphy: pip install 'onnxq[polygraphy]'")
    with pytest.raises(RuntimeFailure, match=f"^{message}$"):
        check_package()
    with pytest.raises(RuntimeFailure, match=f"^{message}$"):
        next(run(sessions(), batches(), Silent()))


class TestEngine:
    """TensorRT itself needs a GPU: a stand-in takes its place, and runs the ONNX model."""

    @pytest.fixture
    def engine(self, tmp_path):
        (tmp_path / "m.engine").write_bytes(model("Neg").SerializeToString())
        return Engine(tmp_path / "m.engine", frozenset("xy"))

    @pytest.fixture
    def tensorrt(self, monkeypatch):
        def runner(load, name):
            return OnnxrtRunner(lambda: load().loaded, name=name)

        def engine_from_bytes(content):
            if not content:
                raise PolygraphyException("Could not deserialize engine.\nSee log.")
            session, names = Session(onnx.ModelProto.FromString(content)), ["x", "y"]
            return SimpleNamespace(loaded=session.loaded, num_io_tensors=2, get_tensor_name=names.__getitem__)

        package = ModuleType("tensorrt")
        package.__spec__ = importlib.machinery.ModuleSpec("tensorrt", None)
        monkeypatch.setitem(sys.modules, "tensorrt", package)
        stand_in = SimpleNamespace(TrtRunner=runner, engine_from_bytes=engine_from_bytes)
        monkeypatch.setitem(sys.modules, "polygraphy.backend.trt", stand_in)

    @pytest.mark.usefixtures("tensorrt")
    def test_it_runs_beside_the_models(self, engine):
        found = [out["engine"]["y"].tolist() for _, out in run({**sessions(), "engine": engine}, batches(), Silent())]
        assert found == [[[-i, i]] for i in range(3)]

    @pytest.mark.usefixtures("tensorrt")
    def test_an_engine_of_another_model(self, engine):
        other = Engine(engine.path, frozenset("xz"))
        with pytest.raises(
            ModelError, match=r"was not built from these models: The engine alone has an input .* 'y'\.$"
        ):
            list(run({"engine": other}, batches(), Silent()))

    @pytest.mark.usefixtures("tensorrt")
    def test_an_engine_that_cannot_be_loaded(self, engine):
        engine.path.write_bytes(b"")
        with pytest.raises(
            RuntimeFailure, match=r"cannot load the engine '.*m\.engine': Could not .*\. It needs a GPU, and"
        ):
            list(run({"engine": engine}, batches(), Silent()))

    @pytest.mark.usefixtures("tensorrt")
    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ModelError, match=r"^The engine '.*gone' cannot be read: No such file or directory\.$"):
            list(run({"engine": Engine(tmp_path / "gone", frozenset())}, batches(), Silent()))

    def test_tensorrt_is_missing(self, engine, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorrt", None)
        with pytest.raises(
            RuntimeFailure, match=r"^Running an engine needs TensorRT and a GPU: pip install 'onnxq\[tens"
        ):
            list(run({"engine": engine}, batches(), Silent()))
