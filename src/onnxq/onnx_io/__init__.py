"""Edge to ONNX: models in and out of files, the read-only view of a model, its hash, the sizes of its tensors."""

from onnxq.onnx_io.fingerprint import fingerprint
from onnxq.onnx_io.model_file import load, save, size
from onnxq.onnx_io.tensor_sizes import tensor_sizes
from onnxq.onnx_io.view import dimension_names, inputs, view

__all__ = ["dimension_names", "fingerprint", "inputs", "load", "save", "size", "tensor_sizes", "view"]
