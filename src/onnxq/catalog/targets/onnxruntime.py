"""Where Q/DQ go for ONNX Runtime's kernels on the CPU.

ONNX Runtime replaces an operator by an integer kernel if all it reads comes from DequantizeLinear, and what it
computes goes into one QuantizeLinear and nowhere else. So pairs stand on both sides of each operator, with a Relu or
Clip behind it on its inside, and activations use all 256 codes: then the lowest code is 0.0 behind a Relu, which makes
the Relu part of the rounding.

Source: graphs as ONNX Runtime 1.32 optimizes them (its selectors are in core/optimizer/qdq_transformer/).
"""

from __future__ import annotations

from onnxq.catalog.conditions import constant_operand, float_output, float_source, interpolates, run_time_weight
from onnxq.core.graph import Node
from onnxq.core.target import OpRule, Scene, Target, Tie, Weight

SEEN = "optimized graphs of ONNX Runtime 1.32"


def _first(scene: Scene, node: Node) -> int | None:
    return 0


def _gemm_columns(scene: Scene, node: Node) -> int | None:
    return 0 if node.integer("transB", 0) else 1


def _matmul_columns(scene: Scene, node: Node) -> int | None:
    return 1 if scene.view.constants[node.inputs[1]].ndim == 2 else None


def _per_tensor(scene: Scene, node: Node) -> int | None:
    return None


ACTIVATION = frozenset(("Clip", "Relu"))
COPIES = "DepthToSpace Flatten Gather MaxPool Reshape Resize Slice Split Squeeze Transpose Unsqueeze".split()

ONNXRUNTIME = Target(
    name="onnxruntime",
    doc="ONNX Runtime on a CPU: uint8 activations, int8 weights, integers between kernels",
    activations="uint8",
    weights="int8",
    opset=13,
    source=SEEN,
    writes_integers=True,
    rules=(
        OpRule(
            "Conv",
            inputs=(0,),
            weights=(Weight(1, _first),),
            without_weight=(run_time_weight,),
            unless=(float_output,),
            tail=ACTIVATION,
            why="QLinearConv: one scale per output channel",
            source=SEEN,
        ),
        OpRule(
            "Gemm",
            inputs=(0,),
            weights=(Weight(1, _gemm_columns),),
            without_weight=(run_time_weight,),
            unless=(float_output,),
            tail=ACTIVATION,
            why="QGemm: one scale per output column",
            source=SEEN,
        ),
        OpRule(
            "MatMul",
            inputs=(0, 1),
            weights=(Weight(1, _matmul_columns), Weight(0, _per_tensor)),
            unless=(float_output,),
            tail=frozenset(("Add",)),  # with its bias it becomes a Gemm
            why="QLinearMatMul",
            source=SEEN,
        ),
        *(
            OpRule(
                op,
                inputs=(0, 1),
                unless=(constant_operand, float_source, float_output),
                tail=ACTIVATION,
                why=f"QLinear{op}: both operands are integers",
                source=SEEN,
            )
            for op in ("Add", "Mul")
        ),
        *(
            OpRule(
                op,
                inputs=(0,),
                unless=(float_source, float_output),
                why=f"QLinear{op}: integers in and out",
                source=SEEN,
            )
            for op in ("AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax")
        ),
        OpRule(
            "Concat",
            inputs=tuple(range(64)),
            unless=(float_source, float_output),
            why="QLinearConcat: each input with its own scale",
            source=SEEN,
        ),
        *(
            OpRule(
                op,
                inputs=(0,),
                unless=(float_source, float_output, interpolates),
                why="it copies integers, if a pair with the same scale stands on both sides",
                source=SEEN,
            )
            for op in ("DepthToSpace", "Flatten", "Gather", "Resize", "Split")
        ),
    ),
    residuals=(),
    ties=tuple(Tie(op, why="it copies integers, and cannot rescale them", source=SEEN) for op in COPIES),
    commuting=frozenset(COPIES),
    pointwise=ACTIVATION,
    absorbed=frozenset(),
    float_ops={
        "ConvTranspose": "ONNX Runtime has no integer kernel for it",
        "LayerNormalization": "normalizations sum in float",
    },
)
