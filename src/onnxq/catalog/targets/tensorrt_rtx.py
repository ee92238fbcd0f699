"""Where Q/DQ go for NVIDIA TensorRT for RTX: as for TensorRT, whose parser and compiler it shares."""

from dataclasses import replace

from onnxq.catalog.targets.tensorrt import TENSORRT

TENSORRT_RTX = replace(
    TENSORRT,
    name="tensorrt-rtx",
    doc="NVIDIA TensorRT for RTX on GeForce and RTX GPUs, explicit INT8 quantization",
)
