"""What is printed of a list of kernels."""

import io
import json

from rich.console import Console
from tests.core.test_layer_plan import OPERATORS, SHORTCUT, kernel

from onnxq.core.layer_plan import LayerPlan
from onnxq.reports.layers import SHOWN, layers_json, layers_table, verdict


def lines(plan: LayerPlan, verbose: bool) -> list[str]:
    page = io.StringIO()
    Console(width=200, file=page).print(layers_table(plan, verbose))
    return [" ".join(line.split()) for line in page.getvalue().splitlines() if line.strip(" ─")]


def test_the_verdict_counts_operators_shortcuts_copies_and_kernels():
    assert verdict(SHORTCUT) == (
        "2 of 2 convolutions read INT8; 1 shortcut in float; no copies between layouts or types; 4 kernels."
    )


def test_the_verdict_names_each_kind_of_product():
    product = kernel("gemm", "x:Half", "y:Half", "m", "Half")
    copy = kernel("Reformat", "y:Half", "z:Half", "")
    assert verdict(LayerPlan((*SHORTCUT.layers[:2], product, copy), OPERATORS)) == (
        "2 of 2 convolutions, 0 of 1 matrix products read INT8; no shortcuts in float; "
        "1 copy between layouts or types; 4 kernels."
    )


def test_of_an_engine_that_knows_no_operators_kernels_are_counted():
    plan = LayerPlan(SHORTCUT.layers, {})
    assert verdict(plan) == "2 of 2 kernels that multiply read INT8; no copies between layouts or types; 4 kernels."


def test_a_model_without_products_says_so():
    plan = LayerPlan((kernel("kgen", "x:Half", "y:Half", "r"),), OPERATORS)
    assert verdict(plan) == "No kernel multiplies; no copies between layouts or types; 1 kernel."


def test_each_kernel_has_its_types_its_bytes_and_its_nodes_without_qdq():
    plan = LayerPlan(
        (kernel("correlation", "x:Int8", "a:Float", "c1 q", "Int8"),), {"c1": "Conv", "q": "QuantizeLinear"}
    )
    head, row, *_ = lines(plan, verbose=True)
    assert head == "kernel reads writes kB float kB ONNX nodes"
    assert row == "correlation Int8 Float 0.2 0.1 c1"


def test_the_short_form_shows_float_products_and_the_heaviest_and_counts_the_rest():
    light = [kernel("kgen", "x:Int8", "y:Int8", f"r{number}") for number in range(SHOWN + 1)]
    product = kernel("gemm", "x:Half", "y:Half", "m", "Half")
    found = lines(LayerPlan((*light, product), OPERATORS), verbose=False)
    assert sum(line.startswith("gemm") for line in found) == 1
    assert "2 more kernels; -v shows all" in found


def test_bytes_are_summed_by_type():
    assert "Between kernels move 0.00 MB Float, 0.00 MB Half, 0.00 MB Int8." in lines(SHORTCUT, verbose=False)


def test_json_begins_with_the_verdict():
    data = json.loads(layers_json(SHORTCUT))
    assert data["summary"] == verdict(SHORTCUT)
    assert len(data["layers"]) == 4
