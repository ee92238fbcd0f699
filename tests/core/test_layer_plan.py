"""What a list of kernels says: which nodes read INT8, what is left in float, how much moves."""

from onnxq.core.layer_plan import Layer, LayerPlan, Tensor, compute_nodes, float_shortcuts, int8_nodes, unkept


def tensor(name: str, dtype: str) -> Tensor:
    return Tensor(name, (2, 16), dtype)


def kernel(kind: str, reads: str, writes: str, nodes: str, weight: str = "") -> Layer:
    """A kernel; tensors are written name:dtype."""
    inputs, outputs = (tuple(tensor(*word.split(":")) for word in text.split()) for text in (reads, writes))
    constants = (tensor("w", weight),) if weight else ()
    return Layer(nodes or "copy", kind, inputs, constants, outputs, "", tuple(nodes.split()))


OPERATORS = {"c1": "Conv", "c2": "Conv", "r": "Relu", "add": "Add", "m": "MatMul"}
SHORTCUT = LayerPlan(
    (
        kernel("correlation", "x:Int8", "a:Float", "c1", "Int8"),
        kernel("correlation", "x:Int8", "b:Float", "c2", "Int8"),
        kernel("kgen", "h:Float", "s:Half", "r"),
        kernel("kgen", "a:Float s:Half", "q:Int8", "add"),
    ),
    OPERATORS,
)


def test_a_node_is_counted_once_however_many_kernels_it_has():
    plan = LayerPlan((SHORTCUT.layers[0], SHORTCUT.layers[0]), OPERATORS)
    assert compute_nodes(plan) == int8_nodes(plan) == {"c1"}


def test_a_product_that_reads_one_float_is_none_of_int8():
    plan = LayerPlan((kernel("gemm", "x:Half", "y:Half", "m", "Int8"),), OPERATORS)
    assert compute_nodes(plan) == {"m"}
    assert int8_nodes(plan) == frozenset()
    assert unkept(plan, ["m", "elsewhere"]) == ("m",)


def test_what_is_planned_and_read_as_int8_is_kept():
    assert unkept(SHORTCUT, ["c1", "c2"]) == ()


def test_an_add_of_an_int8_kernels_result_and_a_float_that_another_wrote_is_a_float_shortcut():
    assert float_shortcuts(SHORTCUT) == SHORTCUT.layers[3:]


def test_an_add_whose_other_operand_is_int8_is_none():
    join = kernel("kgen", "a:Float s:Int8", "q:Int8", "add")
    writer = kernel("kgen", "h:Float", "s:Int8", "r")
    assert float_shortcuts(LayerPlan((*SHORTCUT.layers[:2], writer, join), OPERATORS)) == ()


def test_a_kernel_of_no_node_that_multiplies_nothing_is_a_copy():
    copy = kernel("Reformat", "x:Float", "y:Float", "")
    assert copy.is_copy
    assert not any(layer.is_copy for layer in SHORTCUT.layers)


def test_json_has_the_counts_that_a_script_asks_for():
    data = SHORTCUT.to_json()
    counts = {name: value for name, value in data.items() if name not in ("layers", "moved_bytes")}
    assert counts == {
        "kernels": 4,
        "compute_kernels": 2,
        "int8_kernels": 2,
        "compute_nodes": 2,
        "int8_nodes": 2,
        "float_nodes": [],
        "float_shortcuts": ["add"],
        "copies": 0,
    }
    assert data["moved_bytes"] == {"Float": 4 * 4 * 32, "Half": 2 * 2 * 32, "Int8": 3 * 32}
    assert [layer["onnx_nodes"] for layer in data["layers"]] == [("c1",), ("c2",), ("r",), ("add",)]
