"""The table of upgrades against the schemas in onnx.defs, and every row of it against onnxruntime."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest

from onnxq.errors import ModelError
from onnxq.stages.prepare.upgrades import NEWEST, OLDEST, UPGRADES

OPTION = onnx.defs.OpSchema.FormalParameterOption
HISTORY = {
    name: sorted(schemas, key=lambda schema: schema.since_version)
    for name, schemas in itertools.groupby(
        sorted((s for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""), key=lambda s: s.name),
        key=lambda schema: schema.name,
    )
}
STEPS = [
    (old, new)
    for schemas in HISTORY.values()
    for old, new in itertools.pairwise(schemas)
    if OLDEST < new.since_version <= NEWEST
]


def is_additive(old: onnx.defs.OpSchema, new: onnx.defs.OpSchema) -> bool:
    """Whether each node that `old` allows means the same under `new`, as far as the schemas tell."""

    def extends(before, after):
        optional = all(parameter.option != OPTION.Single for parameter in after[len(before) :])
        kept = all(b.option == a.option or a.option == OPTION.Optional for b, a in zip(before, after, strict=False))
        return len(after) >= len(before) and optional and kept

    def default(schema, name):
        return schema.attributes[name].default_value.SerializeToString()

    attributes = all(name in new.attributes and default(old, name) == default(new, name) for name in old.attributes)
    demanded = any(new.attributes[name].required and name not in old.attributes for name in new.attributes)
    inputs_and_outputs = extends(old.inputs, new.inputs) and extends(old.outputs, new.outputs)
    return inputs_and_outputs and attributes and not demanded and not new.deprecated


@pytest.mark.parametrize(("old", "new"), STEPS, ids=lambda schema: f"{schema.name}-{schema.since_version}")
def test_the_table_has_a_row_for_every_change_that_is_no_addition(old, new):
    assert is_additive(old, new) or (new.name, new.since_version) in UPGRADES


@pytest.mark.parametrize(("op", "version"), UPGRADES)
def test_every_row_is_a_step_of_the_changelog(op, version):
    assert (op, version) in {(new.name, new.since_version) for _, new in STEPS}


X = "float[2, 3, 4, 6] x"
CASES = {  # row: graphs of the opset before; x is normal noise
    ("BatchNormalization", 9): [
        "({X}) => (float[] y) <float[3] a = {1, 2, 3}, float[3] v = {1, 2, 4}>"
        "{ y = BatchNormalization<spatial = 1>(x, a, a, a, v) }"
    ],
    ("BatchNormalization", 14): [
        "({X}) => (float[] y) <float[3] a = {1, 2, 3}, float[3] v = {1, 2, 4}>{ y = BatchNormalization(x, a, a, a, v) }"
    ],
    ("Clip", 11): [
        "({X}) => (float[] y) { y = Clip<min = -0.5, max = 1.0>(x) }",
        "({X}) => (float[] y) { y = Clip<max = 1.0>(x) }",
        "({X}) => (float[] y) { t = Clip(x) y = Clip<min = -1.0>(t) }",
    ],
    ("DFT", 20): [
        "(float[2, 8, 6, 1] x) => (float[] y) { y = DFT(x) }",
        "(float[2, 8, 6, 1] x) => (float[] y) { y = DFT<axis = 2>(x) }",
    ],
    ("Dropout", 12): ["({X}) => (float[] y) { t, m = Dropout<ratio = 0.3>(x) y = Relu(t) }"],
    ("GridSample", 20): [
        "({X}, float[2, 5, 5, 2] g) => (float[] y) { y = GridSample(x, g) }",
        "({X}, float[2, 5, 5, 2] g) => (float[] y) { y = GridSample<mode = 'bicubic'>(x, g) }",
        "({X}, float[2, 5, 5, 2] g) => (float[] y) { y = GridSample<mode = 'nearest'>(x, g) }",
    ],
    ("GroupNormalization", 21): [
        "(float[2, 4, 5] x) => (float[2, 4, 5] y) <float[2] a = {2, 3}, float[2] b = {4, 5}>"
        "{ y = GroupNormalization<num_groups = 2>(x, a, b) }"
    ],
    **{
        (op, 13): [
            f"({{X}}) => (float[] y) {{ y = {op}(x) }}",  # four axes from the second on
            f"({{X}}) => (float[] y) {{ y = {op}<axis = 3>(x) }}",
            f"({{X}}) => (float[] y) {{ t = {op}<axis = 0>(x) y = Relu(t) }}",
            f"({{X}}) => (float[] y) {{ t = GlobalMaxPool(x) y = {op}<axis = 1>(t) }}",  # only one is wide
            f"({{X}}) => (float[] y) {{ t = GlobalMaxPool(x) y = {op}<axis = 2>(t) }}",  # none is
            f"({{X}}, int64[2] s) => (float[] y) {{ t = Reshape(x, s) y = {op}<axis = 1>(t) }}",  # unknown sizes
        ]
        for op in ("Hardmax", "LogSoftmax", "Softmax")
    },
    ("Pad", 11): [
        "({X}) => (float[] y) { y = Pad<pads = [0, 0, 1, 2, 0, 0, 3, 4]>(x) }",
        "({X}) => (float[] y) { y = Pad<pads = [0, 0, 1, 2, 0, 0, 3, 4], value = 1.5>(x) }",
        "({X}) => (float[] y) { y = Pad<pads = [0, 0, 1, 2, 0, 0, 2, 1], mode = 'reflect'>(x) }",
    ],
    **{
        (f"Reduce{kind}", 13 if kind == "Sum" else 18): [
            f"({{X}}) => (float[] y) {{ t = Abs(x) y = Reduce{kind}(t) }}",
            f"({{X}}) => (float[] y) {{ t = Abs(x) y = Reduce{kind}<axes = [1, 3], keepdims = 0>(t) }}",
        ]
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
    ("Resize", 11): [
        "({X}) => (float[] y) <float[4] s = {1, 1, 2, 1.5}> { y = Resize(x, s) }",
        "({X}) => (float[] y) <float[4] s = {1, 1, 0.6, 0.5}> { y = Resize<mode = 'nearest'>(x, s) }",
        "({X}) => (float[] y) <float[4] s = {1, 1, 2, 0.5}> { y = Resize<mode = 'linear'>(x, s) }",
    ],
    ("RoiAlign", 16): [
        "({X}) => (float[] y) <float[1, 4] r = {0.3, 0.2, 5.1, 3.4}, int64[1] i = {0}>"
        "{ y = RoiAlign<output_height = 2, output_width = 2>(x, r, i) }"
    ],
    ("Scatter", 11): [
        "({X}) => (float[] y) <int64[1, 1, 1, 2] i = {3, 1}, float[1, 1, 1, 2] u = {7, 8}>"
        "{ y = Scatter<axis = 3>(x, i, u) }"
    ],
    ("Slice", 10): [
        "({X}) => (float[] y) { y = Slice<starts = [1, -3], ends = [3, 100], axes = [2, 3]>(x) }",
        "({X}) => (float[] y) { y = Slice<starts = [0, 1], ends = [2, 2]>(x) }",
    ],
    ("Split", 13): ["({X}) => (float[] y, float[] z) { y, z = Split<axis = 3, split = [2, 4]>(x) }"],
    ("Split", 18): [
        "({X}) => (float[] y, float[] z) { y, z = Split<axis = 3>(x) }",
        "({X}) => (float[] y, float[] z) <int64[2] s = {2, 4}> { y, z = Split<axis = 3>(x, s) }",
    ],
    ("Squeeze", 13): [
        "(float[1, 3, 1] x) => (float[] y) { y = Squeeze(x) }",
        "(float[1, 3, 1] x) => (float[] y) { y = Squeeze<axes = [0]>(x) }",
    ],
    ("TopK", 10): ["({X}) => (float[] y, int64[] i) { y, i = TopK<k = 2, axis = 3>(x) }"],
    ("Unsqueeze", 13): ["({X}) => (float[] y) { y = Unsqueeze<axes = [0, 2]>(x) }"],
    ("Upsample", 9): [
        "({X}) => (float[] y) { y = Upsample<scales = [1.0, 1.0, 2.0, 2.0]>(x) }",
        "({X}) => (float[] y) { y = Upsample<mode = 'linear', scales = [1.0, 1.0, 2.0, 3.0]>(x) }",
    ],
    ("Upsample", 10): [
        "({X}) => (float[] y) <float[4] s = {1, 1, 2.5, 1.3}> { y = Upsample(x, s) }",
        "({X}) => (float[] y) <float[4] s = {1, 1, 2, 3}> { y = Upsample<mode = 'linear'>(x, s) }",
        "({X}, float[4] s) => (float[2, 3, H, W] y) { y = Upsample(x, s) }",
    ],
}
REFUSED = {("Scan", 9)}
SECOND_INPUTS = {
    "GridSample": np.random.default_rng(1).uniform(-1.2, 1.2, size=(2, 5, 5, 2)).astype(np.float32),
    "Upsample": np.array([1, 1, 2, 1.5], np.float32),
    **dict.fromkeys(["Hardmax", "LogSoftmax", "Softmax"], np.array([6, 24])),  # the target of a Reshape
}


def test_every_row_has_a_case():
    assert set(CASES) | REFUSED == set(UPGRADES)


@pytest.mark.parametrize(
    ("op", "version", "graph"),
    [(op, version, graph) for (op, version), graphs in CASES.items() for graph in graphs],
)
def test_an_upgraded_node_computes_what_it_did(op, version, graph, parse, prepared):
    model = parse("g " + graph.replace("{X}", X).replace("'", '"'), opset=version - 1, ir_version=4)
    feeds = {
        "x": np.random.default_rng(0)
        .normal(size=[d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim])
        .astype(np.float32)
    }
    feeds |= {value.name: SECOND_INPUTS[op] for value in model.graph.input[1:]}
    result = prepared(model, opset=max(19, version), feeds=feeds).model
    assert result.opset_import[0].version == max(19, version)
    assert [value.name for value in result.graph.output] == [value.name for value in model.graph.output]


def test_softmax_over_one_wide_axis_stays_one_node(parse, prepared):
    model = parse("g (float[N, 9, 1, 1] x) => (float[] y) { y = Softmax(x) }", opset=7)
    (node,) = prepared(model).model.graph.node
    assert (node.op_type, node.attribute[0].i) == ("Softmax", 1)


def test_clip_of_a_value_of_unknown_type_gets_its_bounds_cast(parse, prepared):
    """In a local function no type is known."""
    model = parse(
        """g (float16[4] x) => (float16[4] y) { y = local.f(x) }
           <domain: "local", opset_import: ["": 10]> f (a) => (b) { b = Clip<min = 0.5>(a) }""",
        opset=10,
    )
    nodes = prepared(model).model.functions[0].node
    assert [node.op_type for node in nodes] == ["Constant", "CastLike", "Clip"]


@pytest.mark.parametrize(
    ("graph", "opset", "message"),
    [
        (
            "({X}) => (float[] y) { y = BatchNormalization<spatial = 0>(x, x, x, x, x) }",
            8,
            r"BatchNormalization 'BatchNormalization_0' normalizes each activation by itself \(spatial=0\)",
        ),
        (
            "({X}, float[3] a) => (float[] y, float[] m) { y, m, v, p, q = BatchNormalization(x, a, a, a, a) }",
            13,
            "is in training mode: its running statistics are read. Export the model for inference",
        ),
        ("({X}) => (float[] y, float[] m) { y, m = Dropout(x) }", 11, "Dropout 'Dropout_0' has a mask that is read"),
        ("({X}, float[4] s) => (float[] y) { y = Resize(x, s) }", 10, "computes its scales at run time"),
        (
            "({X}) => (float[] y) <float[4] s = {1, 1, 0.5, 2}> { y = Resize(x, s) }",
            10,
            "grows one axis and shrinks another",
        ),
        (
            "(float[2, C, 4] x, float[2] a) => (float[] y) { y = GroupNormalization<num_groups = 2>(x, a, a) }",
            20,
            "has computed parameters or an unknown number of channels",
        ),
        (
            "({X}) => (float[] y) {"
            "y = Scan<num_scan_inputs = 1, body = b (float[] i) => (float[] o) { o = Relu(i) }>(, x) }",
            8,
            "Scan 'Scan_0' has a batch axis, which opset 9 dropped",
        ),
    ],
)
def test_what_no_newer_opset_can_say_is_refused(graph, opset, message, parse, prepared):
    with pytest.raises(ModelError, match=f"upgrade_opset: .*{message}"):
        prepared(parse("g " + graph.replace("{X}", X), opset), opset=21)
