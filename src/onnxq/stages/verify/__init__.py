"""Checks what was written: its structure, and how close it is to FP32."""

from onnxq.stages.verify.checker import check_model
from onnxq.stages.verify.compare import FidelitySums, equivalence, fidelity
from onnxq.stages.verify.structure import INVARIANTS, Written, check_structure

__all__ = ["INVARIANTS", "FidelitySums", "Written", "check_model", "check_structure", "equivalence", "fidelity"]
