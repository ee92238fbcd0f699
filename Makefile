# `make demo` shows what onnxq does, `make test` checks everything, `make docs` builds the documentation.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TensorRT for RTX compiles models without a GPU; its packages exist for x86-64 Linux (and Windows) only.
EXTRAS := dev,docs$(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' '-')),$(shell echo ,rtx))

.PHONY: demo test docs clean

demo: $(VENV)/demo
	$(BIN)/onnxq quantize models/digits_resnet.onnx models/digits_resnet.int8.onnx \
		--calib models/digits_calib.npz --eval models/digits_eval.npz

test: $(VENV)/test
	$(BIN)/ruff check src tests benchmarks models examples docs
	$(BIN)/ruff format --check src tests benchmarks models examples docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist loadfile

docs: $(VENV)/docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build/docs models/*.int8.onnx

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 10), 'onnxq needs Python 3.10 or newer'"
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"
	touch $@ $(VENV)/demo $(VENV)/docs

$(VENV)/docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@ $(VENV)/demo
