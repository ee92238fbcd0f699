"""The rows of the TensorRT table, each seen through a plan."""

from __future__ import annotations

import pytest
from tests.sketch import sketch

from onnxq.catalog.targets import TENSORRT
from onnxq.core.graph import GraphView, Shape
from onnxq.core.plan import Decision, Plan
from onnxq.core.rule import Rule
from onnxq.core.spec import PerAxis, PerTensor
from onnxq.errors import ModelError
from onnxq.stages.plan import plan
from onnxq.stages.plan.place import place


def placed(view: GraphView) -> Plan:
    """A plan that may be empty."""
    return place(view, TENSORRT, frozenset())


def decision(made: Plan, node: str, index: int = 0) -> Decision:
    return next(d for d in made.decisions if (d.site.node, d.site.index) == (node, index))


def reason(view: GraphView, node: str, index: int = 0) -> str:
    """Why an edge stays in float."""
    found = decision(placed(view), node, index)
    assert found.spec is None
    assert found.source
    return found.reason


def quantized(view: GraphView, node: str) -> tuple[int, ...]:
    """The indices of the inputs of `node` that go through Q/DQ."""
    return tuple(d.site.index for d in placed(view).quantized if d.site.node == node)


class TestConvolutions:
    def test_activation_per_tensor_and_weight_per_output_channel(self) -> None:
        made = placed(sketch("c = Conv(x, w[32,16,3,3], b[32])"))
        activation, weight = decision(made, "c", 0).spec, decision(made, "c", 1).spec
        assert activation and activation.granularity == PerTensor()
        assert weight and weight.granularity == PerAxis(0)

    def test_the_bias_stays_in_float(self) -> None:
        assert "bias" in reason(sketch("c = Conv(x, w[32,16,3,3], b[32])"), "c", 2)

    def test_a_weight_computed_at_run_time_is_refused_with_its_name(self) -> None:
        assert reason(sketch("c = Conv(x, v)"), "c") == "its weight 'v' is computed at run time"

    @pytest.mark.parametrize(
        ("text", "fits"),
        [
            ("c = Conv(x, w[16,3,3,3])", True),
            ("c = Conv(x, w[8,3,3,3])", True),
            ("c = Conv(x, w[12,3,3,3])", False),
            ("c = Conv(x, w[16,3,3,5])", False),
            ("h = Relu(x)\nc = Conv(h, w[8,8,3,3])", False),
            ("h = Relu(x)\nc = Conv(h, w[1,16,1,1])", True),
            ("h = Relu(x)\nc = Conv(h, w[10,12,1,1])", False),
            ("h = Relu(x)\nc = Conv(h, w[8,1,3,3]) group=8", True),
            ("h = Relu(x)\nc = Conv(h, w[8,1,1,1]) group=8", False),
            ("h = Relu(x)\nc = Conv(h, w[32,1,1,1]) group=32", True),
        ],
    )
    def test_channels_must_fill_a_kernel(self, text: str, fits: bool) -> None:
        """ModelOpt find_nodes_from_convs_to_exclude: an RGB stem with a square kernel is fine."""
        assert (quantized(sketch(text), "c") == (0, 1)) is fits

    def test_the_input_may_reach_a_stem_through_a_transpose(self) -> None:
        assert quantized(sketch("t = Transpose(x)\nc = Conv(t, w[8,3,3,3])"), "c") == (0, 1)

    def test_other_types_are_refused_by_name(self) -> None:
        view = sketch("c = Conv(x, w[32,16,3,3])")
        halves = GraphView(view.nodes, view.inputs, view.outputs, view.constants, {}, {"x": "float16"})
        assert "tensor 'x' is float16" in reason(halves, "c")

    def test_nothing_between_a_convolution_and_its_activation(self) -> None:
        for activation in ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSwish"):
            view = sketch(f"c = Conv(x, w[32,16,3,3])\nr = {activation}(c)\nd = Conv(r, v[16,32,3,3])")
            assert placed(view).activations == ("x", "r")

    def test_nothing_on_model_outputs(self) -> None:
        assert placed(sketch("c = Conv(x, w[32,16,3,3])")).activations == ("x",)

    def test_one_pair_serves_all_readers(self) -> None:
        view = sketch("r = Relu(x)\na = Conv(r, w[16,16,3,3])\nb = Conv(r, v[16,16,1,1])\ny = Concat(a, b)")
        assert placed(view).activations == ("r",)


class TestTransposedConvolutions:
    def test_one_scale_for_all_weights(self) -> None:
        made = placed(sketch("c = ConvTranspose(x, w[32,16,2,2])"))
        weight = decision(made, "c", 1).spec
        assert weight and weight.granularity == PerTensor()

    def test_groups_stay_in_float(self) -> None:
        assert "2 groups" in reason(sketch("c = ConvTranspose(x, w[32,16,2,2]) group=2"), "c")


class TestProducts:
    @pytest.mark.parametrize(
        ("text", "axis"),
        [
            ("m = Gemm(x, w[32,64])", 1),
            ("m = Gemm(x, w[64,32]) transB=1", 0),
            ("m = MatMul(x, w[32,64])", 1),
        ],
    )
    def test_one_scale_per_output_column(self, text: str, axis: int) -> None:
        weight = decision(placed(sketch(text)), "m", 1).spec
        assert weight and weight.granularity == PerAxis(axis)

    @pytest.mark.parametrize(
        "text",
        [
            "m = MatMul(x, w[4,32,64])",
            "m = MatMul(x, w[32,64])\np, q = Split(m)",
            "m = MatMul(x, w[32,64])\nb = Add(m, bias[64])\nr = Reshape(b, s[3])\np, q = Split(r)",
        ],
        ids=["batched weight", "split", "split behind a bias and a copy"],
    )
    def test_one_scale_for_weights_that_the_builder_cuts_up(self, text: str) -> None:
        weight = decision(placed(sketch(text)), "m", 1).spec
        assert weight and weight.granularity == PerTensor()

    def test_a_constant_left_operand_is_the_weight(self) -> None:
        made = placed(sketch("m = MatMul(w[64,32], x)", {"x": (32, 16)}))
        assert decision(made, "m", 0).spec == decision(made, "m", 0).spec
        assert [d.spec and d.spec.role for d in made.decisions] == ["weight", "activation"]

    @pytest.mark.parametrize(
        ("text", "shapes", "words"),
        [
            ("m = MatMul(x, w[32,1])", {}, "matrix with a vector"),
            ("m = MatMul(x, w[32])", {}, "matrix with a vector"),
            ("m = Gemm(x, w[32,64])", {"x": (1, 32)}, "matrix with a vector"),
            ("m = MatMul(x, w[8,64])", {}, "inner dimension of 8"),
            ("m = Gemm(x, w[64,10])", {}, "output dimension of 10"),
            ("m = Gemm(x, w[10,64]) transB=1", {}, "output dimension of 10"),
            ("m = Gemm(x, v)", {}, "weight 'v' is computed at run time"),
        ],
    )
    def test_thin_products_stay_in_float(self, text: str, shapes: dict[str, Shape], words: str) -> None:
        assert words in reason(sketch(text, shapes), "m")


ATTENTION = """
    s = MatMul(q, k)
    d = Div(s, root[])
    a = Add(d, mask)
    p = Softmax(a)
    o = MatMul(p, v)
"""


class TestAttention:
    def shapes(self, length: int | None) -> dict[str, Shape]:
        return {"s": (None, 4, length, length), "p": (None, 4, length, length)}

    def test_short_attention_reads_int8_in_both_products(self) -> None:
        view = sketch(ATTENTION, self.shapes(64))
        assert quantized(view, "s") == (0, 1)
        assert quantized(view, "o") == (0, 1)

    def test_nothing_between_the_products_and_the_softmax(self) -> None:
        """A Q/DQ pair there would keep TensorRT from fusing all of it into one kernel."""
        assert set(placed(sketch(ATTENTION, self.shapes(64))).activations) == {"q", "k", "p", "v"}

    @pytest.mark.parametrize(("length", "words"), [(513, "513 places"), (None, "at run time only")])
    def test_long_attention_stays_in_float(self, length: int | None, words: str) -> None:
        view = sketch(ATTENTION, self.shapes(length))
        assert words in reason(view, "s")
        assert words in reason(view, "o")

    def test_other_products_of_activations_stay_in_float(self) -> None:
        assert "no part of an attention" in reason(sketch("m = MatMul(a, b)"), "m")


class TestResiduals:
    BLOCK = "r = Relu(x)\nc = Conv(r, w[16,16,3,3])\nj = Add(c, r)\na = Relu(j)\nd = Conv(a, v[16,16,3,3])"

    def test_exactly_the_shortcut_is_quantized(self) -> None:
        made = placed(sketch(self.BLOCK))
        assert quantized(sketch(self.BLOCK), "j") == (1,)
        assert made.residuals == ("j",)
        assert "same kernel" in decision(made, "j", 0).reason

    def test_not_if_the_convolution_stays_in_float(self) -> None:
        made = plan(sketch(self.BLOCK), TENSORRT, [Rule("c", skip=True)])
        assert not made.residuals
        assert "'c', whose kernel it ends, stays in float" in decision(made, "j", 1).reason

    def test_nor_if_it_is_skipped(self) -> None:
        made = plan(sketch(self.BLOCK), TENSORRT, [Rule("op:Add", skip=True)])
        assert decision(made, "j", 1).reason == "skipped on request"


class TestBetweenKernels:
    def between(self, line: str) -> GraphView:
        return sketch(f"c = Conv(x, w[16,16,3,3])\n{line}\nd = Conv(y, v[16,16,3,3])")

    @pytest.mark.parametrize("op", ["AveragePool", "GlobalAveragePool", "LRN", "Resize"])
    def test_int8_in_and_int8_out(self, op: str) -> None:
        assert quantized(self.between(f"y = {op}(c)"), "y") == (0,)

    @pytest.mark.parametrize("op", ["AveragePool", "GlobalAveragePool", "Resize"])
    def test_neither_if_the_result_is_read_in_float(self, op: str) -> None:
        view = sketch(f"c = Conv(x, w[16,16,3,3])\ny = {op}(c)\ns = Softmax(y)")
        assert "not read as INT8" in reason(view, "y")

    def test_nor_if_nothing_in_front_writes_int8(self) -> None:
        view = sketch("s = Softmax(x)\ny = AveragePool(s)\nd = Conv(y, v[16,16,3,3])")
        assert "nothing in front" in reason(view, "y")

    def test_a_max_pool_is_passed_through(self) -> None:
        """Guide, commuting layers: Q moves up through it, so a pair of its own would only cost accuracy."""
        view = self.between("y = MaxPool(c)")
        assert quantized(view, "y") == ()
        assert placed(view).activations == ("x", "y")

    def test_a_gate_between_kernels(self) -> None:
        view = sketch("""
            c = Conv(x, w[16,16,3,3])
            p = GlobalAveragePool(c)
            s = Conv(p, u[16,16,1,1])
            g = Sigmoid(s)
            y = Mul(c, g)
            d = Conv(y, v[16,16,3,3])
        """)
        assert quantized(view, "y") == (0, 1)
        assert quantized(view, "g") == ()

    def test_a_constant_operand_is_folded_into_the_neighbours(self) -> None:
        view = sketch(
            "s = Softmax(x)\nc = Conv(s, w[16,16,3,3])\np = LRN(c)\ny = Mul(p, k[1])\nd = Conv(y, v[16,16,3,3])"
        )
        assert "one operand is constant" in reason(view, "y")

    def test_a_plain_sum_reads_only_copies_that_exist_anyway(self) -> None:
        view = sketch("""
            c = Conv(x, w[16,16,3,3])
            e = Conv(c, u[16,16,3,3])
            f = LRN(e)
            g = LRN(c)
            y = Add(f, c)
            z = Softmax(g)
            d = Conv(y, v[16,16,3,3])
        """)
        assert quantized(view, "y") == (1,)
        assert "nothing else reads" in reason(view, "y", 0)

    def test_model_outputs_are_prepared_in_float(self) -> None:
        view = sketch("c = Conv(x, w[16,16,3,3])\ny = AveragePool(c)\nd = Conv(y, v[16,16,3,3])", outputs=("y",))
        assert "model output" in reason(view, "y")

    def test_a_convolution_writes_int8_for_a_layer_normalization(self) -> None:
        assert quantized(sketch("c = Conv(x, w[16,16,3,3])\nn = LayerNormalization(c, s[16])"), "n") == (0,)
        assert "no INT8 convolution" in reason(sketch("c = Softmax(x)\nn = LayerNormalization(c, s[16])"), "n")


class TestEveryNodeSaysWhy:
    def test_operators_without_a_rule(self) -> None:
        view = sketch("s = Softmax(x)\ne = custom.Thing(s)\nm = ReduceMean(e)\nt = Transpose(m)")
        assert "no kernel" in reason(view, "s")
        assert "the domain 'custom'" in reason(view, "e")
        assert "no INT8 rule" in reason(view, "m")
        assert "pass through" in reason(view, "t")

    def test_fused_operators_name_their_kernel(self) -> None:
        assert "fused into the kernel of 'c'" in reason(sketch("c = Conv(x, w[16,16,3,3])\nr = Relu(c)"), "r")

    def test_a_model_without_anything_to_quantize_is_refused_with_the_commonest_reasons(self) -> None:
        with pytest.raises(ModelError, match=r"(?s)Nothing in this model can be quantized.*2 x Softmax: an INT8"):
            plan(sketch("s = Softmax(x)\nt = Softmax(s)"), TENSORRT)

    def test_a_quantized_model_is_refused(self) -> None:
        with pytest.raises(ModelError, match=r"quantized already.*QuantizeLinear 'q'"):
            plan(sketch("q = QuantizeLinear(x, s[1])\nc = Conv(q, w[16,16,3,3])"), TENSORRT)


class TestWhatDependsOnAnother:
    """A node is quantized only where what it relies on is."""

    def test_attention_is_quantized_as_a_whole(self) -> None:
        thin = {"q": (1, 8, 64, 8), "k": (1, 8, 8, 64), "v": (1, 8, 64, 32), "s": (1, 8, 64, 64), "p": (1, 8, 64, 64)}
        assert "inner dimension of 8" in reason(sketch(ATTENTION, thin), "s")
        assert "the other product of its attention, 's', stays in float" in reason(sketch(ATTENTION, thin), "o")

    def test_skipping_one_product_of_an_attention_skips_both(self) -> None:
        view = sketch(f"{ATTENTION}\nc = Conv(x, w[16,16,3,3])", {"s": (1, 4, 64, 64), "p": (1, 4, 64, 64)})
        made = plan(view, TENSORRT, [Rule("o", skip=True)])
        assert made.activations == ("x",)
        assert "'o', stays in float" in decision(made, "s").reason

    def test_one_row_of_each_batch_is_a_vector(self) -> None:
        shapes: dict[str, Shape] = {"q": (1, 8, 1, 64), "k": (1, 8, 64, 128), "s": (1, 8, 1, 128), "p": (1, 8, 1, 128)}
        assert "matrix with a vector" in reason(sketch(ATTENTION, shapes), "s")

    @pytest.mark.parametrize("op", ["AveragePool", "LayerNormalization"])
    def test_a_convolution_in_float_writes_no_int8(self, op: str) -> None:
        scale = ", s[16]" if op == "LayerNormalization" else ""
        view = sketch(f"c = Conv(x, w[16,16,3,3])\ny = {op}(c{scale})\nd = Conv(y, v[16,16,3,3])")
        made = plan(view, TENSORRT, [Rule("c", skip=True)])
        assert made.activations == ("y",)

    def test_a_skipped_node_says_so_whatever_its_operator(self) -> None:
        made = plan(sketch("c = Conv(x, w[16,16,3,3])\nr = Relu(c)"), TENSORRT, [Rule("op:Relu", skip=True)])
        assert decision(made, "r").reason == "skipped on request"
