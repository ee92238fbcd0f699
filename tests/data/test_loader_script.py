"""Loader scripts: what a user's code yields is fed, what it raises becomes one sentence with the line."""

from __future__ import annotations

import re
import sys

import pytest

from onnxq.core.batch import InputSpec
from onnxq.core.samples import Samples
from onnxq.data import source
from onnxq.data.kind import Request
from onnxq.errors import DataError

REQUEST = Request((InputSpec("x", "float32", (None, 2)),))
GOOD = """
import numpy as np

def load_data():
    for number in range(4):
        yield {"x": np.full((3, 2), number, np.float32)}

def other():
    return [{"x": np.zeros((1, 2), np.float32)}]
"""


@pytest.fixture
def script(tmp_path):
    def script(text, name="calib.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return script


def refused(path, text):
    return pytest.raises(DataError, match=f"^'{re.escape(str(path))}' {text}")


class TestReading:
    def test_what_the_function_yields_is_fed(self, script):
        path = script(GOOD)
        batches = list(source(path, REQUEST).batches())
        assert [(batch.samples, batch.feeds["x"][0, 0]) for batch in batches] == [(3, 0), (3, 1), (3, 2), (3, 3)]
        assert batches[1].names == (f"feed 1 of '{path}'",)

    def test_it_is_called_anew_for_each_pass(self, script):
        given = source(script(GOOD), REQUEST)
        assert len(list(given.batches())) == len(list(given.batches())) == 4

    def test_another_function(self, script):
        (batch,) = source(f"{script(GOOD)}:other", REQUEST).batches()
        assert batch.samples == 1

    def test_only_the_first_samples(self, script):
        given = source(Samples(script(GOOD), first=4), REQUEST)
        assert len(list(given.batches())) == 2

    def test_lists_of_numbers_are_arrays(self, script):
        path = script("import numpy\ndef load_data(): return [{'x': [numpy.float32(1), numpy.float32(2)]}]")
        (batch,) = source(path, Request((InputSpec("x", "float32", (None,)),))).batches()
        assert batch.feeds["x"].tolist() == [1, 2]

    def test_modules_beside_it_are_found_and_nothing_is_left_behind(self, script):
        script("import numpy as np\nVALUE = np.ones((1, 2), np.float32)", "values_beside.py")
        before = (list(sys.path), "calib" in sys.modules)
        given = source(script("from values_beside import VALUE\ndef load_data(): yield {'x': VALUE}"), REQUEST)
        assert len(list(given.batches())) == 1
        assert (list(sys.path), "calib" in sys.modules) == before


class TestRefusals:
    def test_no_such_function(self, script):
        path = script("def load_date(): pass\ndef main(): pass")
        with refused(path, r"has no function 'load_data'\. Did you mean 'load_date'\? Functions: load_date, main\. "):
            source(path, REQUEST)

    def test_no_such_script(self, tmp_path):
        with pytest.raises(DataError, match=r"^There is no file '.*gone\.py:load'\.$"):
            source(f"{tmp_path}/gone.py:load", REQUEST)

    def test_a_script_that_is_no_python(self, script):
        path = script("\ndef load_data(:\n    pass")
        with refused(path, r"line 2 raises SyntaxError: "):
            source(path, REQUEST)

    def test_a_script_that_raises_when_it_is_read(self, script):
        path = script("import numpy\nimport no_such_module")
        with refused(path, r"line 2 raises ModuleNotFoundError: No module named 'no_such_module'"):
            source(path, REQUEST)

    def test_a_function_that_raises(self, script):
        path = script("def load_data():\n    return open('/no/such/file')")
        with refused(path, r"line 2 raises FileNotFoundError: .*No such file or directory: '/no/such/file'"):
            list(source(path, REQUEST).batches())

    def test_a_function_that_raises_midway(self, script):
        path = script(GOOD.replace("        yield", "        assert number < 2, 'no more'\n        yield"))
        with refused(path, r"line 6 raises AssertionError: no more$"):
            list(source(path, REQUEST).batches())

    def test_a_relative_path_is_told_as_it_was_given(self, script, monkeypatch):
        monkeypatch.chdir(script("def load_data():\n    yield 1 / 0").parent)
        with pytest.raises(DataError, match=r"^'calib\.py' line 2 raises ZeroDivisionError: division by zero\.?$"):
            list(source("calib.py", REQUEST).batches())

    def test_an_error_deep_in_a_library_is_named_by_the_line_of_the_script(self, script):
        path = script("import numpy\ndef load_data():\n    yield {'x': numpy.reshape([1, 2], (3,))}")
        with refused(path, r"line 3 raises ValueError: cannot reshape array of size 2"):
            list(source(path, REQUEST).batches())

    def test_ctrl_c_is_no_mistake_of_the_script(self, script):
        path = script("def load_data():\n    raise KeyboardInterrupt\n    yield")
        with pytest.raises(KeyboardInterrupt):
            list(source(path, REQUEST).batches())

    def test_what_it_yields_is_checked(self, script):
        path = script("import numpy\ndef load_data(): yield {'y': numpy.zeros((1, 2), numpy.float32)}")
        with pytest.raises(DataError, match=r"^There is no array for the model input 'x'.* This is feed 0 of '.*'\.$"):
            list(source(path, REQUEST).batches())

    def test_what_is_nothing_to_iterate_over(self, script):
        path = script("def load_data(): return 7")
        with refused(path, r"returns int\. It must return or yield dicts from input names to arrays\.$"):
            list(source(path, REQUEST).batches())
