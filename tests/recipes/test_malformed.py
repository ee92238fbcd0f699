"""Malformed recipes: each gives one clear error with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixes import TOYS, shelved

from onnxq import recipes
from onnxq.errors import RecipeError

KEYS = (
    "onnxq_recipe, target, int8, rest, io_types, format, granularity, calibrator, weight_format, weight_granularity, "
    "weight_calibrator, percentile, tensorrt_cache, fixes, labels, seed, rules, include, skip, "
    "tensors, residuals"
)
RULE_KEYS = "select, calibrator, percentile, weight_calibrator, weight_granularity, skip, include, rest"
SELECTOR_KEYS = "name, re, op, from, to, pattern, position, channels, is"
CALIBRATORS = "auto, max, percentile, entropy, mse"
LIST = "must be a list: lines that begin with '- '."

MALFORMED = {
    # what is no YAML
    "": "r.yaml:1: There is no recipe in it. `onnxq recipe --init MODEL r.yaml` writes one.",
    "# nothing but a comment\n": "r.yaml:1: There is no recipe in it. `onnxq recipe --init MODEL r.yaml` writes one.",
    "target: [tensorrt\n": "r.yaml:2: This is no YAML: expected ',' or ']', but got '<stream end>'.",
    "rest: fp16\nskip: 'a\n": "r.yaml:3: This is no YAML: found unexpected end of stream.",
    "rest: fp16\n\ttarget: tensorrt\n": "r.yaml:2: This is no YAML: found character '\\t' that cannot start any token.",
    "rest: fp16\n---\nrest: fp32\n": "r.yaml:2: This is no YAML: but found another document.",
    "skip: *nodes\n": "r.yaml:1: This is no YAML: found undefined alias 'nodes'.",
    "rest: fp16\nlabels: \x07\n": "r.yaml:2: A YAML file must not hold the character 7.",
    # the whole
    "fp16\n": "r.yaml:1: The recipe must have keys and values, such as 'key: value'. Got 'fp16'.",
    "- rest: fp16\n": "r.yaml:1: The recipe must have keys and values, such as 'key: value'. Got a list.",
    "rest: fp16\ncalibrater: max\n": f"r.yaml:2: Unknown key 'calibrater' of a recipe. Keys: {KEYS}. "
    "Did you mean 'calibrator', 'weight_calibrator'?",
    "rest: fp16\nskip: []\nrest: fp32\n": "r.yaml:3: The key 'rest' is there already, in r.yaml:1. "
    "Leave out one of both.",
    "[a]: b\n": "r.yaml:1: A key must be a single value. Got a list.",
    "onnxq_recipe: 2\n": "r.yaml:1: The version of a recipe is 1. Got '2'.",
    # single values
    "target: tensort\n": "r.yaml:1: Unknown target 'tensort'. Choose one of: tensorrt, tensorrt-rtx, onnxruntime. "
    "Did you mean 'tensorrt', 'tensorrt-rtx'?",
    "target:\n": "r.yaml:1: target must be a single value. Got nothing.",
    "\nrest: fp8\n": "r.yaml:2: Unknown type of the rest 'fp8'. Choose one of: fp32, fp16, bf16. "
    "Did you mean 'fp32', 'fp16'?",
    "rest: [fp16]\n": "r.yaml:1: rest must be a single value. Got a list.",
    "calibrator: entropi\n": f"r.yaml:1: Unknown calibrator 'entropi'. Choose one of: {CALIBRATORS}. "
    "Did you mean 'entropy'?",
    "calibrator: entropy 9\n": "r.yaml:1: The calibrator 'entropy' has no parameter. Got 'entropy 9'.",
    "calibrator: percentile most\n": "r.yaml:1: The percentile of the calibrator 'percentile' is a number. Got 'most'.",
    "weight_calibrator: percentile 200\n": "r.yaml:1: The percentile must lie in (0, 100]. Got 200.0.",
    "percentile: 99,9\n": "r.yaml:1: percentile must be a number. Got '99,9'.",
    "percentile: 0\n": "r.yaml:1: The percentile must lie in (0, 100]. Got 0.",
    "percentile: {a: 1}\n": "r.yaml:1: percentile must be a single value. Got keys and values.",
    "fixes: equalisation\n": "r.yaml:1: fixes is auto, or a list of names. Got 'equalisation': write [equalisation].",
    "rest: fp16\nfixes: {}\n": "r.yaml:2: fixes must be a single value. Got keys and values.",
    "int8: 1\n": "r.yaml:1: int8 must be true or false. Got '1'.",
    "io_types: short\n": "r.yaml:1: Unknown io_types 'short'. Choose one of: keep, low.",
    "format: int7\n": "r.yaml:1: Unknown format 'int7'. Choose one of: int8, uint8. Did you mean 'int8', 'uint8'?",
    "granularity: per_channel\n": "r.yaml:1: Activations have one scale per tensor: no engine reads another. "
    "Got granularity 'per_channel'.",
    "weight_granularity: channel\n": "r.yaml:1: Unknown weight_granularity 'channel'. "
    "Choose one of: per_channel, per_tensor.",
    "seed: 1.5\n": "r.yaml:1: seed must be a whole number. Got '1.5'.",
    "seed: -1\n": "r.yaml:1: The seed must be at least 0. Got -1.",
    "seed: 0x10\n": "r.yaml:1: seed must be a number. Got '0x10'.",
    # selectors
    "skip: op:Gemm\n": f"r.yaml:1: skip {LIST} Got 'op:Gemm'.",
    "skip:\n- op:Gemm\n- re:(\n": "r.yaml:3: The selector 're:(' is no valid regular expression: "
    "missing ), unterminated subpattern at position 0.",
    "skip:\n-\n": "r.yaml:2: An item of skip must be a single value. Got nothing.",
    "skip:\n- [a, b]\n": "r.yaml:2: An item of skip must be a single value. Got a list.",
    "include:\n- position:lst\n": "r.yaml:2: The selector 'position:lst' is none: write 'position:first', "
    "'position:last 3' or 'position:last_before_output'.",
    "include:\n- {op: Conv, channel: <8}\n": f"r.yaml:2: Unknown key 'channel' of a selector. Keys: {SELECTOR_KEYS}. "
    "Did you mean 'channels'?",
    "include:\n- op: Conv\n  channels: 8\n": "r.yaml:3: The selector 'channels:8' is none: write 'channels:<16'.",
    "include:\n- op: [Conv, Gemm]\n": "r.yaml:2: 'op' of a selector has one value. "
    "For several, write several selectors.",
    "include:\n- op:\n": "r.yaml:2: op must be a single value. Got nothing.",
    "include:\n- {}\n": "r.yaml:2: A selector needs a condition, such as 'op:Conv'.",
    # rules
    "rules:\n  select: a\n": f"r.yaml:2: rules {LIST} Got keys and values.",
    "rules:\n- op:Conv\n": "r.yaml:2: An item of rules must have keys and values, such as 'key: value'. Got 'op:Conv'.",
    "rules:\n- skip: true\n": "r.yaml:2: A rule needs the key 'select': the nodes that it is for. Got skip.",
    "rules:\n- select: a\n  calibrator: max\n- select: op:Conv\n": "r.yaml:4: The rule for 'op:Conv' sets nothing. "
    "Settings: calibrator, percentile, weight_calibrator, weight_granularity, skip, include, rest.",
    "rules:\n- select: a\n  kalibrator: max\n": f"r.yaml:3: Unknown key 'kalibrator' of a rule. Keys: {RULE_KEYS}. "
    "Did you mean 'calibrator', 'weight_calibrator'?",
    "rules:\n- select: a\n  skip: true\n  skip: false\n": "r.yaml:4: The key 'skip' is there already, in r.yaml:3. "
    "Leave out one of both.",
    "rules:\n- select: a\n  skip: maybe\n": "r.yaml:3: skip must be true or false. Got 'maybe'.",
    "rules:\n- select: a\n  skip: true\n  include: true\n": "r.yaml:2: The rule for 'a' skips and includes the same "
    "nodes. Leave out one of both.",
    "rules:\n- select: a\n  percentile: 99\n": "r.yaml:2: The percentile of the rule for 'a' does nothing without "
    "calibrator 'percentile'. Give both.",
    "rules:\n- select: a\n  calibrator: percentile\n  percentile: 101\n": "r.yaml:2: The percentile must lie in "
    "(0, 100]. Got 101.",
    "rules:\n- select: a\n  weight_granularity: rows\n": "r.yaml:2: Unknown weight_granularity 'rows'. "
    "Choose one of: per_channel, per_tensor.",
    "rules:\n- select: a\n  rest: half\n": "r.yaml:3: Unknown type of the rest 'half'. "
    "Choose one of: fp32, fp16, bf16.",
    # tensors
    "tensors: [a]\n": "r.yaml:1: tensors must have keys and values, such as 'key: value'. Got a list.",
    "tensors:\n  a: max\n  b: maxx\n": "r.yaml:3: Unknown calibrator 'maxx'. Choose one of: auto, max, percentile, "
    "entropy, mse. Did you mean 'max'?",
    # residuals
    "residuals: [a]\n": "r.yaml:1: residuals must have keys and values, such as 'key: value'. Got a list.",
    "residuals:\n  a: 0\n  b: 2\n": "r.yaml:3: The shortcut of 'b' is operand 0 or 1, or none. Got '2'.",
    "residuals:\n  a: [0]\n": "r.yaml:2: a must be a single value. Got a list.",
    # SuperGradients
    "calib_params:\n  percentil: 99\n": "r.yaml:2: Unknown key 'percentil' of calib_params. Keys: "
    "histogram_calib_method, percentile, num_calib_batches, verbose. Did you mean 'percentile'?",
    "calib_params:\n  percentile: 0\n": "r.yaml:2: The percentile must lie in (0, 100]. Got 0.",
    "calib_params:\n  num_calib_batches: few\n": "r.yaml:2: num_calib_batches must be a number. Got 'few'.",
    "ptq_only: perhaps\n": "r.yaml:1: ptq_only must be true or false. Got 'perhaps'.",
    "selective_quantizer_params:\n  calibrator_w: mse\n": "r.yaml:2: Unknown calibrator_w 'mse'. "
    "Choose one of: max, histogram.",
    "selective_quantizer_params:\n  skip_modules: conv1\n": f"r.yaml:2: skip_modules {LIST} Got 'conv1'.",
    "selective_quantizer_params: 5\n": "r.yaml:1: selective_quantizer_params must have keys and values, "
    "such as 'key: value'. Got '5'.",
}


def failure(content: str | bytes) -> str:
    """What is said of a file r.yaml."""
    Path("r.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecipeError) as raised:
        recipes.read(Path("r.yaml"))
    return str(raised.value)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("content", "message"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_a_malformed_recipe_gives_one_error_with_its_line(content, message):
    assert failure(content) == message


def test_an_unknown_fix_is_named_with_its_line(tmp_path, monkeypatch):
    shelved(monkeypatch, *TOYS)
    path = tmp_path / "r.yaml"
    path.write_text("rest: fp16\nfixes:\n- moves\n- help\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:3: Unknown fix 'help'\. Choose one of: .* Did you mean 'helps'\?$"):
        recipes.read(path)


def test_a_recipe_that_is_no_text_names_the_line():
    assert failure(b"rest: fp16\nlabels: \xff\n") == "r.yaml:2: This is no text in UTF-8."


def test_brackets_without_end_are_no_crash():
    assert failure("[" * 100000) == "r.yaml:1: Its brackets are nested too deeply."


@pytest.mark.parametrize(("path", "why"), [("none.yaml", "No such file or directory"), (".", "Is a directory")])
def test_a_recipe_that_cannot_be_read(path, why):
    with pytest.raises(RecipeError, match=rf"^The recipe '{path}' cannot be read: {why}\.$"):
        recipes.read(Path(path))
