"""Where Q/DQ go for NVIDIA TensorRT 10 and 11 (explicit quantization, strongly typed networks).

Sources:
    guide: NVIDIA TensorRT documentation, "Working with Quantized Types", explicit quantization.
        https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-quantized-types.html
    API: NvInfer.h, IQuantizeLayer and IDequantizeLayer.
    parser: onnx-tensorrt, onnxOpImporters.cpp, QuantDequantLinearHelper.
    ModelOpt: NVIDIA ModelOpt 0.47, modelopt.onnx.quantization, NVIDIA's own model of TensorRT's fusions.
    TRT#n: github.com/NVIDIA/TensorRT/issues/n
"""

from __future__ import annotations

from onnxq.catalog.conditions import (
    absorbed,
    constant_operand,
    few_channels,
    float_result,
    float_source,
    graph_output,
    grouped,
    no_convolution,
    no_pair_yet,
    no_short_attention,
    run_time_weight,
    splits,
    thin_product,
)
from onnxq.core.graph import Node
from onnxq.core.target import OpRule, Residual, Scene, Target, Tie, Weight


def _first(scene: Scene, node: Node) -> int | None:
    return 0


def _per_tensor(scene: Scene, node: Node) -> int | None:
    return None


def _gemm_columns(scene: Scene, node: Node) -> int | None:
    return 0 if node.integer("transB", 0) else 1


def _matmul_columns(scene: Scene, node: Node) -> int | None:
    """The columns of a 2-D weight, unless the product is split behind: then the builder cuts the weight up.

    TensorRT for RTX 1.7 keeps such a weight in INT8 only if it has one scale (seen in its layer plan).
    """
    return 1 if scene.view.constants[node.inputs[1]].ndim == 2 and not splits(scene, node) else None


BETWEEN = (absorbed, graph_output, float_source, float_result)

TENSORRT = Target(
    name="tensorrt",
    doc="NVIDIA TensorRT 10 and 11, explicit INT8 quantization",
    activations="int8",
    weights="int8",
    opset=19,
    rest="fp16",
    advice=frozenset(
        (few_channels, thin_product, float_source, float_result, graph_output, no_pair_yet, no_convolution)
    ),
    source="guide, explicit quantization",
    rules=(
        OpRule(
            "Conv",
            inputs=(0,),
            weights=(Weight(1, _first),),
            without_weight=(run_time_weight,),
            unless=(few_channels,),
            why="a convolution reads INT8 activations and weights; one scale per output channel",
            source="guide, placement of Q/DQ; ModelOpt find_nodes_from_convs_to_exclude",
        ),
        OpRule(
            "ConvTranspose",
            inputs=(0,),
            weights=(Weight(1, _per_tensor),),
            without_weight=(run_time_weight,),
            unless=(grouped, few_channels),
            why="a transposed convolution reads INT8; one scale for all weights, as kernels disagree on the axis",
            source="TRT#2380, #1694, #1934",
        ),
        OpRule(
            "Gemm",
            inputs=(0,),
            weights=(Weight(1, _gemm_columns),),
            without_weight=(run_time_weight,),
            unless=(thin_product,),
            why="a matrix product reads INT8 activations and weights; one scale per output column",
            source="guide, placement of Q/DQ; ModelOpt find_nodes_from_matmul_to_exclude",
        ),
        OpRule(
            "MatMul",
            inputs=(0, 1),
            weights=(Weight(1, _matmul_columns), Weight(0, _per_tensor)),
            without_weight=(no_short_attention,),
            unless=(thin_product,),
            why="a matrix product reads both operands as INT8; a 2-D weight has one scale per output column",
            source="guide, placement of Q/DQ; guide 8.x, 7.1.3; ModelOpt find_nodes_from_{matmul,mha}_to_exclude",
        ),
        *(
            OpRule(
                op,
                inputs=(0,),
                unless=BETWEEN,
                why="it reads INT8 and hands INT8 on to the next kernel",
                source="guide, non-commuting layers; ModelOpt find_quantizable_nodes",
            )
            for op in ("AveragePool", "GlobalAveragePool", "LRN", "HardSwish", "Clip")
        ),
        OpRule(
            "Add",
            inputs=(0, 1),
            unless=(absorbed, graph_output, constant_operand, float_source, float_result),
            unless_edge=(no_pair_yet,),
            why="it reads the INT8 copy that another kernel reads as well",
            source="ModelOpt filter_quantizable_kgen_heads",
        ),
        OpRule(
            "Mul",
            inputs=(0, 1),
            unless=(absorbed, graph_output, constant_operand, float_source, float_result),
            why="a gate between two kernels reads INT8 and hands INT8 on",
            source="ModelOpt filter_quantizable_kgen_heads",
        ),
        OpRule(
            "Resize",
            inputs=(0,),
            unless=BETWEEN,
            why="it follows a kernel that can write INT8",
            source="ModelOpt _find_quantizable_kgen_partitions",
        ),
        OpRule(
            "LayerNormalization",
            inputs=(0,),
            unless=(no_convolution,),
            why="the convolution in front of it writes INT8",
            source="ModelOpt find_conv_to_layernorm_nodes",
        ),
    ),
    residuals=(
        Residual(
            "Add",
            chains=tuple(
                (*front, head)
                for head in ("Conv", "ConvTranspose")
                for front in ((), ("Relu",), ("Clip",), ("Mul", "Sigmoid"))
            ),
            why="the convolution adds the shortcut itself, in INT8, if the shortcut is INT8",
            source="guide, placement of Q/DQ, residual connections; TRT#1992; ModelOpt build_non_residual_input_map",
        ),
    ),
    ties=(
        Tie(
            "Concat",
            why="one kernel copies all its inputs, and cannot rescale any",
            source="guide, Q/DQ propagation; TRT#4366; ModelOpt get_concat_eliminated_tensors",
            all_inputs=True,
        ),
        Tie(
            "MaxPool",
            why="what is read in INT8 before and behind it is written once",
            source="layer plans of TensorRT for RTX 1.7",
        ),
    ),
    commuting=frozenset(
        "Concat DepthToSpace Expand Flatten Gather GatherElements GatherND Identity MaxPool Reshape ReverseSequence "
        "Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze".split()
    ),
    pointwise=frozenset(
        "Abs Add Ceil Celu Clip Cos Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Max Min Mish Mul "
        "Neg PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Swish Tanh "
        "ThresholdedRelu".split()
    ),
    absorbed=frozenset(("BatchNormalization",)),
    float_ops={
        "Softmax": "an INT8 softmax has no kernel",
        "BatchNormalization": "it could not be folded, and TensorRT scales in float",
        "InstanceNormalization": "normalizations sum in float",
        "GroupNormalization": "normalizations sum in float",
        "LSTM": "recurrent layers have no INT8 kernel",
        "GRU": "recurrent layers have no INT8 kernel",
        "RNN": "recurrent layers have no INT8 kernel",
    },
)
