"""INT8 quantization of ONNX models for TensorRT, from nothing but the ONNX file and sample inputs.

What the package offers, and where it comes from, is in `__init__.pyi`; each name is imported when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
